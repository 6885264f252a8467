/* cmd/dead_show.c - the body of one dead letter, for who has the keys, on record. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/dead_verbs.h"
#include "keys/key_config.h"
#include "masking/masker.h"
#include "telemetry/log.h"

enum { BODY_MAX = 80 << 20 };

sl_rc sl_dead_record(struct sl_dead *d, const char *how, struct sl_err *e)
{
    const sl_str context = SL_STR("dead_letter");
    const struct sl_record_use use = {
        .pipeline = sl_str_of(d->pipeline),
        .how = how,
        .reason = sl_str_of(d->reason != NULL ? d->reason : "none given"),
        .contexts = &context,
        .contexts_n = 1,
        .n = 1,
    };

    SL_TRY(sl_record_commit(&d->conn, &use, e));
    SL_LOG(SL_LOG_INFO, "opened a dead letter", sl_field_str("sluice.dead_letter", d->filter.ids),
           sl_field_int("user.id", (int64_t)getuid()));
    return SL_OK;
}

/* The one place that shows a body: asked for by id, with the keys, and on record. */
static sl_rc body_print(sl_cleartext body, struct sl_err *e)
{
    const sl_str text = sl_cleartext_publish(body);

    if (fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0) {
        return SL_FAIL(e, SL_IO, "could not write to stdout");
    }
    return SL_OK;
}

static sl_rc body_show(struct sl_dead *d, struct sl_masker *masker, const PGresult *result,
                       struct sl_err *e)
{
    const sl_str message_id = { PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0) };
    const sl_str sealed = { PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1) };
    SL_AUTO(sl_arena_done) struct sl_arena arena = { 0 };
    sl_cleartext body;

    sl_arena_init(&arena, BODY_MAX, 64 << 10);
    SL_TRY(sl_dead_record(d, "dead show", e));
    SL_TRY(sl_open_body(masker, message_id, sealed, &arena, &body, e));
    return body_print(body, e);
}

sl_rc sl_dead_show(struct sl_dead *d, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    struct sl_keyring *ring = NULL;
    struct sl_masker *masker = NULL;
    sl_rc rc;

    SL_TRY(sl_pg_dead_get(&d->conn, &d->filter, &result, e));
    SL_TRY(sl_keys_of(&d->cfg, &ring, e));
    rc = sl_masker_new(ring, &masker, e);
    if (rc == SL_OK) {
        rc = body_show(d, masker, result, e);
    }
    sl_masker_free(masker);
    sl_keyring_free(ring);
    return rc;
}
