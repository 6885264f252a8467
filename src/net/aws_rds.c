/* net/aws_rds.c - tokens with which a database of RDS lets an AWS identity in. */
#include "net/aws_rds.h"

#include "base/clock.h"
#include "net/aws_profile.h"
#include "net/aws_sigv4.h"

enum {
    EXPIRES_S = 900, /* what RDS takes at most */
    ARENA_MAX_BYTES = 8 << 20,
    ARENA_BLOCK_BYTES = 4 << 10,
    HEAD_MAX_BYTES = 4 << 10,
};

sl_str sl_aws_rds_region(sl_str host)
{
    sl_str before = { 0 };

    while (host.len > 0) {
        const sl_str label = sl_str_cut(&host, '.');

        if (sl_str_eq(label, SL_STR("rds")) && sl_str_starts(host, SL_STR("amazonaws.com"))) {
            return before;
        }
        before = label;
    }
    return (sl_str){ 0 };
}

sl_rc sl_aws_rds_token(const struct sl_aws_rds *db, const struct sl_aws_creds *creds, int64_t at_ms,
                       struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf place = { .max_bytes = HEAD_MAX_BYTES };
    SL_AUTO(sl_buf_done) struct sl_buf query = { .max_bytes = HEAD_MAX_BYTES };
    struct sl_sigv4_header host = { .name = SL_STR("host") };
    struct sl_sigv4_request request = {
        .method = SL_STR("GET"), .path = SL_STR("/"), .headers = &host, .headers_n = 1
    };

    sl_buf_printf(&place, "%" SL_FMT ":%" SL_FMT, SL_ARG(db->host), SL_ARG(db->port));
    sl_buf_add_str(&query, SL_STR("Action=connect&DBUser="));
    sl_buf_add_percent(&query, db->user);
    SL_TRY(sl_buf_rc(&place, e));
    SL_TRY(sl_buf_rc(&query, e));
    host.value = sl_buf_str(&place);
    request.query = sl_buf_str(&query);
    sl_buf_add_str(out, host.value);
    sl_buf_add_str(out, SL_STR("/?"));
    return sl_sigv4_presign(&request, creds,
                            &(struct sl_sigv4_scope){ db->region, SL_STR("rds-db"), at_ms },
                            EXPIRES_S, out, e);
}

sl_rc sl_aws_rds_enter(const struct sl_aws_rds *db, const struct sl_config *cfg,
                       const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a;
    struct sl_config plain = *cfg;
    struct sl_aws_rds in = *db;
    struct sl_aws_creds creds;

    sl_arena_init(&a, ARENA_MAX_BYTES, ARENA_BLOCK_BYTES);
    plain.sqs.role_arn = SL_STR(""); /* that is the queue's */
    in.region = sl_aws_first(sl_aws_rds_region(in.host), sl_aws_env("AWS_REGION"));
    in.region = sl_aws_first(in.region, sl_aws_env("AWS_DEFAULT_REGION"));
    if (in.region.len == 0) {
        return SL_FAIL(e, SL_CONFIG,
                       "the database's host does not name a region of AWS: set AWS_REGION");
    }
    SL_TRY(sl_aws_creds_find(&plain, in.region, stop, &a, &creds, e));
    return sl_aws_rds_token(&in, &creds, sl_clock_at_ms(), out, e);
}
