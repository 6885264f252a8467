/* tests/unit/test_pipeline.c - the promise: what is not committed is never acked, and what is held
 * is loaded or handed back.  The source and the sink here note what was asked of them. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/worker.h"
#include "telemetry/log.h"
#include "world.h"

enum { LOADS_MAX = 8, MESSAGES_MAX = 16 };

#define COLUMNS                              \
    "- { name: id, from: id, type: text }\n" \
    "- { name: ip, from: ip, type: text, mask: siv }\n"

/* What the sink says to one load, and which records it decides on before. */
struct answer {
    sl_rc rc;
    unsigned decides; /* records, from the front */
    unsigned refuses; /* the record (from 1) that gets a verdict; 0 = none */
    bool tells_to_stop;
};

struct scene {
    struct world w;
    char calls[512]; /* what was asked, in order */

    /* source */
    const char *bodies[MESSAGES_MAX];
    uint64_t groups[MESSAGES_MAX];
    unsigned bodies_n;
    sl_rc receive_says;
    unsigned receives;
    unsigned stops_at; /* the receive at which everybody is told to stop */
    unsigned acked_n;
    char acked[MESSAGES_MAX][16];
    unsigned released_n;
    char released[MESSAGES_MAX][16];
    bool is_paused;
    unsigned waits;
    uint64_t in_flight;
    bool exits_on_outage;

    /* sink */
    struct answer answers[LOADS_MAX];
    unsigned loads;
    const struct sl_batch *batch;
    unsigned char batch_id[16];
    unsigned dead_letters; /* with a seal, at the last load */
    unsigned knows;        /* the record (from 1) that the ledger knows; 0 = none */
    unsigned sends_fail;   /* so often, the dead-letter queue is away */
    unsigned probes_fail;  /* so many, then the sink takes loads again */
};

static void note(struct scene *s, const char *call)
{
    const size_t n = strlen(s->calls);

    (void)snprintf(s->calls + n, sizeof s->calls - n, "%s ", call);
}

/* ---- the source ------------------------------------------------------------------------------ */

static sl_rc scene_receive(void *self, struct sl_batch *b, int64_t due_ms, struct sl_err *e)
{
    struct scene *s = self;

    (void)due_ms;
    note(s, "receive");
    assert_false(s->is_paused);
    s->receives++;
    if (s->receives == s->stops_at) {
        sl_stop_ask(&s->w.stop, false);
    }
    for (unsigned i = 0; i < s->bodies_n; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "m%u", i + 1);
        world_add(b, id, sl_str_of(s->bodies[i]))->group = s->groups[i];
    }
    s->bodies_n = 0;
    return s->receive_says == SL_OK ? SL_OK : SL_FAIL(e, s->receive_says, "the queue says no");
}

static void id_copy(char to[static 16], const struct sl_record *r)
{
    (void)snprintf(to, 16, "%" SL_FMT, SL_ARG(r->message_id));
}

static void scene_ack(void *self, const struct sl_batch *b)
{
    struct scene *s = self;

    note(s, "ack");
    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->outcome != SL_OUTCOME_NONE) {
            id_copy(s->acked[s->acked_n++], b->records[i]);
        }
    }
}

static void scene_release(void *self, const struct sl_batch *b)
{
    struct scene *s = self;

    note(s, "release");
    for (unsigned i = 0; i < b->n; i++) {
        if (b->records[i]->outcome == SL_OUTCOME_NONE) {
            id_copy(s->released[s->released_n++], b->records[i]);
        }
    }
}

static void scene_pause(void *self, bool is_paused)
{
    struct scene *s = self;

    if (is_paused != s->is_paused) {
        note(s, is_paused ? "pause" : "resume");
    }
    s->is_paused = is_paused;
}

static void scene_flush(void *self, int64_t due_ms)
{
    (void)due_ms;
    note(self, "flush");
}

static bool scene_is_idle(const void *self)
{
    (void)self;
    return true;
}

static uint64_t scene_in_flight(const void *self)
{
    const struct scene *s = self;

    return s->in_flight;
}

static void scene_give_back(void *self)
{
    struct scene *s = self;

    note(s, "give_back");
    assert_true(s->is_paused);
}

static short scene_until(void *self, int fd, short events, int64_t due_ms)
{
    struct scene *s = self;

    (void)due_ms;
    assert_int_equal(fd, -1);
    assert_int_equal(events, 0);
    assert_true(s->is_paused);
    s->waits++;
    return 0;
}

/* ---- the sink -------------------------------------------------------------------------------- */

/* No sink ever sees what is to be masked, nor a dead letter that is not sealed. */
static void check_masked(struct scene *s, const struct sl_batch *b)
{
    s->dead_letters = 0;
    for (unsigned i = 0; i < b->n; i++) {
        const struct sl_record *r = b->records[i];

        if (r->verdict.reason != SL_REASON_NONE) {
            assert_true(r->sealed.len > 0);
            s->dead_letters++;
            continue;
        }
        for (unsigned k = 0; k < s->w.cfg.columns_n; k++) {
            assert_int_not_equal(r->values[k].kind, SL_VALUE_CLEARTEXT);
        }
        assert_true(r->values[1].kind == SL_VALUE_NULL ||
                    sl_str_starts(r->values[1].text, SL_STR("v1.k1.")));
    }
}

static void decide(const struct answer *answer, struct sl_batch *b)
{
    for (unsigned i = 0; i < answer->decides && i < b->n; i++) {
        if (b->records[i]->outcome == SL_OUTCOME_NONE) {
            b->records[i]->outcome = b->records[i]->verdict.reason == SL_REASON_NONE
                                         ? SL_OUTCOME_LOADED
                                         : SL_OUTCOME_DEAD_LETTERED;
        }
    }
    if (answer->refuses > 0) {
        b->records[answer->refuses - 1]->verdict =
            (struct sl_verdict){ .reason = SL_REASON_REFUSED, .sqlstate = "23514" };
    }
}

static sl_rc scene_load(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct scene *s = self;
    const struct answer *answer = &s->answers[s->loads];

    note(s, "load");
    assert_true(s->loads < LOADS_MAX);
    if (s->loads++ == 0) {
        s->batch = b;
        memcpy(s->batch_id, b->id, sizeof s->batch_id);
    }
    assert_ptr_equal(b, s->batch); /* the same batch until it is committed */
    assert_memory_equal(b->id, s->batch_id, sizeof s->batch_id);
    check_masked(s, b);
    decide(answer, b);
    if (answer->tells_to_stop) {
        sl_stop_ask(&s->w.stop, true);
    }
    return answer->rc == SL_OK ? SL_OK : SL_FAIL(e, answer->rc, "the database says no");
}

static sl_rc scene_probe(void *self, struct sl_err *e)
{
    struct scene *s = self;

    note(s, "probe");
    if (s->probes_fail == 0) {
        return SL_OK;
    }
    s->probes_fail--;
    return SL_FAIL(e, SL_DISCONNECTED, "the database is away");
}

static sl_rc scene_recognize(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct scene *s = self;

    (void)e;
    note(s, "recognize");
    if (s->knows > 0) {
        b->records[s->knows - 1]->outcome = SL_OUTCOME_DUPLICATE;
    }
    return SL_OK;
}

/* ---- the dead-letter queue: these stand for those of source/dead_queue.c ---------------------- */

struct sl_dead_queue {
    struct scene *s;
};

/* One at a time, to see that it is called until there is none. */
sl_rc sl_dead_queue_send(struct sl_dead_queue *q, struct sl_batch *b, struct sl_err *e)
{
    note(q->s, "send");
    if (q->s->sends_fail > 0) {
        q->s->sends_fail--;
        return SL_FAIL(e, SL_THROTTLED, "the dead-letter queue says no");
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (sl_record_is_stray(b->records[i])) {
            assert_true(b->records[i]->sealed.len > 0);
            b->records[i]->is_sent = true;
            break;
        }
    }
    return SL_OK;
}

sl_rc sl_dead_queue_probe(struct sl_dead_queue *q, struct sl_err *e)
{
    note(q->s, "probe_dead");
    return q->s->sends_fail-- > 0 ? SL_FAIL(e, SL_THROTTLED, "the dead-letter queue says no")
                                  : SL_OK;
}

/* ---- the scene ------------------------------------------------------------------------------- */

static const struct sl_source_ops source_ops = {
    .receive = scene_receive,
    .ack = scene_ack,
    .release = scene_release,
    .pause = scene_pause,
    .flush = scene_flush,
    .is_idle = scene_is_idle,
    .in_flight = scene_in_flight,
    .give_back = scene_give_back,
};

static const struct sl_sink_ops sink_ops = { .recognize = scene_recognize,
                                             .load = scene_load,
                                             .probe = scene_probe };

#define GOOD "{\"id\":\"u\",\"ip\":\"192.0.2.7\"}"

/* Three good messages, and a sink that takes all. */
static int scene_new(void **state)
{
    static struct scene s;

    memset(&s, 0, sizeof s);
    world_open(&s.w);
    world_begin(&s.w, COLUMNS);
    s.w.p.source = (struct sl_source){ &s, &source_ops, { &s, scene_until } };
    s.w.p.sink = (struct sl_sink){ &s, &sink_ops };
    s.w.p.batch_rows = MESSAGES_MAX;
    s.w.p.backoff = (struct sl_backoff){ .base_ms = 1, .cap_ms = 1, .random = 1 };
    s.w.cfg.outage_patience_s = 900;
    s.bodies_n = 3;
    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        s.bodies[i] = GOOD;
    }
    for (unsigned i = 0; i < LOADS_MAX; i++) {
        s.answers[i].decides = MESSAGES_MAX;
    }
    *state = &s;
    return 0;
}

static int scene_free(void **state)
{
    world_close(&((struct scene *)*state)->w);
    return 0;
}

static void answers(struct scene *s, unsigned load, struct answer answer)
{
    s->answers[load - 1] = answer;
}

static sl_rc run(struct scene *s, struct sl_err *e)
{
    unsigned n = 77;
    const sl_rc rc = sl_pipeline_run_once(&s->w.p, sl_clock_now_ms(), &n, e);

    assert_int_equal(n, s->acked_n + s->released_n); /* every message has one end */
    return rc;
}

static void runs(struct scene *s, sl_rc expected)
{
    struct sl_err e = { 0 };

    assert_int_equal(run(s, &e), expected);
    if (expected != SL_OK) {
        assert_int_equal(e.rc, expected);
    }
}

static uint64_t count_of(const _Atomic uint64_t *counter)
{
    return sl_counted(counter);
}

/* ---- the flow -------------------------------------------------------------------------------- */

static void acks_after_the_load_and_not_before(void **state)
{
    struct scene *s = *state;

    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive load ack release ");
    assert_int_equal(s->acked_n, 3);
    assert_int_equal(s->released_n, 0);
    assert_string_equal(s->acked[0], "m1");
    assert_string_equal(s->acked[2], "m3");
    assert_int_equal(count_of(&s->w.counters.loaded), 3);
    assert_int_equal(count_of(&s->w.counters.batches), 1);
}

static void never_acks_a_failed_load(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_SCHEMA });
    runs(s, SL_SCHEMA);
    assert_int_equal(s->acked_n, 0);
    assert_int_equal(s->released_n, 3);
    assert_int_equal(count_of(&s->w.counters.loaded), 0);
    assert_int_equal(count_of(&s->w.counters.batches), 0);
}

static void acks_only_what_has_an_outcome(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_BUG, .decides = 2 });
    runs(s, SL_BUG);
    assert_int_equal(s->acked_n, 2);
    assert_string_equal(s->acked[0], "m1");
    assert_string_equal(s->acked[1], "m2");
}

static void hands_back_what_has_no_outcome(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_BUG, .decides = 2 });
    runs(s, SL_BUG);
    assert_int_equal(s->released_n, 1);
    assert_string_equal(s->released[0], "m3");
}

static void an_empty_receive_loads_nothing(void **state)
{
    struct scene *s = *state;

    s->bodies_n = 0;
    runs(s, SL_OK);
    assert_int_equal(s->loads, 0);
    assert_int_equal(count_of(&s->w.counters.batches), 0);
}

static void a_failed_receive_is_reported_and_loads_nothing(void **state)
{
    struct scene *s = *state;

    s->receive_says = SL_THROTTLED;
    runs(s, SL_THROTTLED);
    assert_int_equal(s->loads, 0);
    assert_int_equal(s->released_n, 3); /* what came with it */
}

static void a_bad_record_is_loaded_as_a_dead_letter_beside_its_neighbours(void **state)
{
    struct scene *s = *state;

    s->bodies[1] = "{\"id\":";
    runs(s, SL_OK);
    assert_int_equal(s->loads, 1);
    assert_int_equal(s->dead_letters, 1);
    assert_int_equal(s->acked_n, 3);
    assert_int_equal(count_of(&s->w.counters.loaded), 2);
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 1);
}

static void never_loads_cleartext(void **state)
{
    struct scene *s = *state;

    /* The mask refuses a context that is none; what was decoded must not get past it. */
    s->w.cfg.columns[1].masking.context = SL_STR("");
    sl_masks_close(&s->w.p.masks);
    assert_int_equal(sl_masks_open(&s->w.cfg, s->w.ring, &s->w.p.masks, NULL), SL_OK);
    runs(s, SL_KEY);
    assert_string_equal(s->calls, "receive ack release ");
    assert_int_equal(s->acked_n, 0);
    assert_int_equal(s->released_n, 3);
}

static void a_value_too_long_to_mask_is_no_row(void **state)
{
    struct scene *s = *state;
    char body[256];

    (void)snprintf(body, sizeof body, "{\"id\":\"u\",\"ip\":\"%0*d\"}", 160, 7);
    s->bodies[0] = body;
    runs(s, SL_OK);
    assert_int_equal(s->dead_letters, 1);
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 1);
}

static void memory_that_runs_out_hands_the_batch_back(void **state)
{
    struct scene *s = *state;

    sl_arena_done(&s->w.p.scratch);
    sl_arena_init(&s->w.p.scratch, 64, 64);
    runs(s, SL_NOMEM);
    assert_int_equal(s->loads, 0);
    assert_int_equal(s->released_n, 3);
}

/* The same batch again would fail again. */
static void what_does_not_fit_into_memory_is_taken_in_smaller_batches(void **state)
{
    struct scene *s = *state;

    sl_arena_done(&s->w.p.scratch);
    sl_arena_init(&s->w.p.scratch, 64, 64);
    runs(s, SL_NOMEM);
    assert_int_equal(s->w.p.batch_rows, SL_BATCH_ROWS_MIN);
    s->w.p.scratch.max_bytes = 1 << 20;
    s->bodies_n = 3;
    s->released_n = 0;
    runs(s, SL_OK);
    assert_int_equal(s->w.p.batch_rows, 2 * SL_BATCH_ROWS_MIN);
}

/* ---- fates of a load ------------------------------------------------------------------------- */

static const sl_rc codes[] = {
#define X(name, fate, exit_code, text) SL_##name,
#include "base/err.def"
#undef X
};

static void an_outage_pauses_receiving_and_keeps_the_batch(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED });
    answers(s, 2, (struct answer){ .rc = SL_TIMEOUT });
    answers(s, 3, (struct answer){ .rc = SL_UNAVAILABLE });
    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive load pause load load load resume ack release ");
    assert_int_equal(s->acked_n, 3);
    assert_int_equal(count_of(&s->w.counters.retries), 3);
    assert_int_equal(count_of(&s->w.counters.batches), 1);
    assert_int_equal(count_of(&s->w.counters.loaded), 3);
    assert_int_equal(s->w.p.backoff.tries, 0);
}

static void an_outage_is_waited_out_in_the_workers_one_wait(void **state)
{
    struct scene *s = *state;

    s->w.p.backoff = (struct sl_backoff){ .base_ms = 4, .cap_ms = 4, .random = 1 };
    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED });
    runs(s, SL_OK);
    assert_true(s->waits > 0);
}

static void every_code_that_may_be_retried_is_an_outage(void **state)
{
    struct scene *s = *state;

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (sl_rc_fate(codes[i]) != SL_FATE_RETRY) {
            continue;
        }
        (void)scene_free(state);
        (void)scene_new(state);
        answers(s, 1, (struct answer){ .rc = codes[i] });
        runs(s, SL_OK);
        assert_int_equal(s->loads, 2);
        assert_int_equal(s->acked_n, 3);
    }
}

static void every_code_that_stops_ends_the_load_at_once(void **state)
{
    struct scene *s = *state;

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (sl_rc_fate(codes[i]) != SL_FATE_STOP) {
            continue;
        }
        (void)scene_free(state);
        (void)scene_new(state);
        answers(s, 1, (struct answer){ .rc = codes[i] });
        runs(s, codes[i]);
        assert_string_equal(s->calls, "receive load ack release ");
        assert_int_equal(s->acked_n, 0);
        assert_int_equal(s->released_n, 3);
    }
}

static void a_load_that_stops_after_an_outage_keeps_its_own_report(void **state)
{
    struct scene *s = *state;
    struct sl_err e = { 0 };

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED });
    answers(s, 2, (struct answer){ .rc = SL_SCHEMA });
    assert_int_equal(run(s, &e), SL_SCHEMA);
    assert_string_equal(e.msg, "the database says no");
    assert_int_equal(s->released_n, 3);
}

static void told_to_stop_during_an_outage_it_hands_back_and_says_so(void **state)
{
    struct scene *s = *state;
    struct sl_err e = { 0 };

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED, .tells_to_stop = true });
    assert_int_equal(run(s, &e), SL_STOPPED);
    assert_int_equal(e.rc, SL_STOPPED);
    assert_non_null(strstr(e.msg, "the database says no"));
    assert_int_equal(s->loads, 1);
    assert_int_equal(s->acked_n, 0);
    assert_int_equal(s->released_n, 3);
}

static void a_stop_that_is_not_urgent_waits_for_the_end_of_an_outage(void **state)
{
    struct scene *s = *state;

    sl_stop_ask(&s->w.stop, false);
    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED });
    answers(s, 2, (struct answer){ .rc = SL_UNAVAILABLE });
    runs(s, SL_OK);
    assert_int_equal(s->loads, 3);
    assert_int_equal(s->acked_n, 3);
}

static void told_to_stop_it_still_loads_what_it_holds(void **state)
{
    struct scene *s = *state;

    sl_stop_ask(&s->w.stop, true);
    runs(s, SL_OK);
    assert_int_equal(s->acked_n, 3);
}

static void what_was_committed_before_an_outage_is_acked_though_the_rest_goes_back(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED, .decides = 1, .tells_to_stop = true });
    runs(s, SL_STOPPED);
    assert_int_equal(s->acked_n, 1);
    assert_string_equal(s->acked[0], "m1");
    assert_int_equal(s->released_n, 2);
    assert_int_equal(count_of(&s->w.counters.loaded), 1);
}

static void counts_each_outcome_once_over_any_number_of_tries(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED, .decides = 1 });
    answers(s, 2, (struct answer){ .rc = SL_DISCONNECTED, .decides = 2 });
    runs(s, SL_OK);
    assert_int_equal(count_of(&s->w.counters.loaded), 3);
    assert_int_equal(s->acked_n, 3);
}

static void a_refused_row_is_sealed_and_loaded_again(void **state)
{
    struct scene *s = *state;

    answers(s, 1, (struct answer){ .rc = SL_ROW, .refuses = 2 });
    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive load load ack release ");
    assert_int_equal(s->dead_letters, 1);
    assert_int_equal(s->acked_n, 3);
    assert_int_equal(count_of(&s->w.counters.loaded), 2);
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 1);
    assert_int_equal(count_of(&s->w.counters.retries), 0);
}

static void several_rows_may_be_refused_one_after_the_other(void **state)
{
    struct scene *s = *state;

    for (unsigned i = 1; i <= 3; i++) {
        answers(s, i, (struct answer){ .rc = SL_ROW, .refuses = i });
    }
    runs(s, SL_OK);
    assert_int_equal(s->loads, 4);
    assert_int_equal(s->dead_letters, 3);
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 3);
}

/* ---- bad records that do not go to the table -------------------------------------------------- */

static void to_a_queue(struct scene *s)
{
    static struct sl_dead_queue queue;

    queue.s = s;
    s->w.cfg.dead_letter = SL_DEAD_LETTER_QUEUE;
    s->w.p.dead_queue = &queue;
}

static void what_is_left_is_counted_as_returned_and_never_loaded(void **state)
{
    struct scene *s = *state;

    s->w.cfg.dead_letter = SL_DEAD_LETTER_LEAVE;
    s->bodies[1] = "{";
    answers(s, 1, (struct answer){ .rc = SL_ROW, .refuses = 3 });
    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive recognize load recognize load ack release ");
    assert_int_equal(s->acked_n, 3); /* the source knows which of them are left */
    assert_int_equal(count_of(&s->w.counters.returned), 2);
    assert_int_equal(count_of(&s->w.counters.loaded), 1);
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 0);
}

static void what_is_left_holds_back_those_behind_it_in_its_group(void **state)
{
    struct scene *s = *state;

    s->w.cfg.dead_letter = SL_DEAD_LETTER_LEAVE;
    s->bodies[3] = s->bodies[0];
    s->bodies[4] = s->bodies[0];
    s->bodies_n = 5;
    s->bodies[1] = "{";
    s->groups[0] = s->groups[1] = s->groups[3] = 7;
    s->groups[2] = s->groups[4] = 9;
    runs(s, SL_OK);
    assert_int_equal(count_of(&s->w.counters.returned), 2);
    assert_int_equal(count_of(&s->w.counters.loaded), 3);
}

static void what_is_left_holds_nothing_back_where_there_is_no_order(void **state)
{
    struct scene *s = *state;

    s->w.cfg.dead_letter = SL_DEAD_LETTER_LEAVE;
    s->bodies[0] = "{";
    runs(s, SL_OK);
    assert_int_equal(count_of(&s->w.counters.returned), 1);
    assert_int_equal(count_of(&s->w.counters.loaded), 2);
}

static void what_the_ledger_knows_is_not_left(void **state)
{
    struct scene *s = *state;

    s->w.cfg.dead_letter = SL_DEAD_LETTER_LEAVE;
    s->bodies[1] = "{";
    s->knows = 2;
    runs(s, SL_OK);
    assert_int_equal(count_of(&s->w.counters.duplicates), 1);
    assert_int_equal(count_of(&s->w.counters.returned), 0);
}

static void good_records_alone_ask_nobody(void **state)
{
    struct scene *s = *state;

    to_a_queue(s);
    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive load ack release ");
}

static void letters_are_sent_before_the_load_and_once_for_all_its_attempts(void **state)
{
    struct scene *s = *state;

    to_a_queue(s);
    s->bodies[0] = s->bodies[1] = "{";
    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED });
    runs(s, SL_OK);
    assert_string_equal(s->calls,
                        "receive recognize send send load pause load resume ack release ");
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 2);
}

static void a_dead_letter_queue_that_is_away_is_an_outage(void **state)
{
    struct scene *s = *state;

    to_a_queue(s);
    s->bodies[0] = "{";
    s->sends_fail = 2;
    runs(s, SL_OK);
    assert_string_equal(s->calls, "receive recognize send pause recognize send recognize send load "
                                  "resume ack release ");
    assert_int_equal(count_of(&s->w.counters.dead_lettered), 1);
}

static void waiting_for_the_sink_waits_for_the_dead_letter_queue_too(void **state)
{
    struct scene *s = *state;

    to_a_queue(s);
    scene_pause(s, true);
    s->sends_fail = 1;
    sl_pipeline_await_sink(&s->w.p);
    assert_string_equal(s->calls, "pause give_back probe_dead give_back probe_dead probe resume ");
}

/* ---- an outage that outlasts the patience ---------------------------------------------------- */

static void past_the_patience_the_batch_is_handed_back_and_receiving_stays_paused(void **state)
{
    struct scene *s = *state;
    struct sl_err e = { 0 };

    s->w.cfg.outage_patience_s = 0;
    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED, .decides = 1 });
    assert_int_equal(run(s, &e), SL_OUTAGE);
    assert_non_null(strstr(e.msg, "the database says no"));
    assert_string_equal(s->calls, "receive load pause ack release ");
    assert_true(s->is_paused);
    assert_int_equal(s->acked_n, 1);
    assert_int_equal(s->released_n, 2);
    assert_int_equal(count_of(&s->w.counters.outages), 1);
}

static void waiting_for_the_sink_holds_nothing_and_ends_with_a_probe_that_succeeds(void **state)
{
    struct scene *s = *state;

    scene_pause(s, true);
    s->probes_fail = 2;
    sl_pipeline_await_sink(&s->w.p);
    assert_string_equal(s->calls, "pause give_back probe give_back probe give_back probe resume ");
}

static void told_to_stop_it_waits_for_the_sink_no_longer(void **state)
{
    struct scene *s = *state;

    scene_pause(s, true);
    s->probes_fail = UINT_MAX;
    sl_stop_ask(&s->w.stop, false);
    sl_pipeline_await_sink(&s->w.p);
    assert_string_equal(s->calls, "pause ");
}

static void each_hand_back_doubles_the_patience_until_something_is_taken(void **state)
{
    struct scene *s = *state;

    s->w.cfg.outage_patience_s = 1;
    s->w.p.backoff = (struct sl_backoff){ .base_ms = 900, .cap_ms = 900, .random = 1 };
    for (unsigned i = 1; i < LOADS_MAX; i++) {
        answers(s, i, (struct answer){ .rc = SL_DISCONNECTED });
    }
    runs(s, SL_OUTAGE);
    assert_int_equal(s->w.p.patience_s, 2);
    answers(s, 1, (struct answer){ .decides = MESSAGES_MAX });
    s->loads = s->released_n = 0;
    s->bodies_n = 3;
    scene_pause(s, false);
    runs(s, SL_OK);
    assert_int_equal(s->w.p.patience_s, 0);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static void work(struct scene *s, struct sl_worker *w)
{
    *w = (struct sl_worker){ .pipeline = s->w.p,
                             .stop = &s->w.stop,
                             .exits_on_outage = s->exits_on_outage };
    assert_int_equal(sl_worker_start(w, NULL), SL_OK);
    while (!sl_worker_join(w, 1000)) {
    }
    s->w.p.scratch = w->pipeline.scratch;
}

static void a_worker_told_to_stop_loads_what_still_comes_and_flushes(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    s->stops_at = 1;
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_OK);
    assert_string_equal(s->calls, "receive load ack release receive ack release flush ");
    assert_int_equal(s->acked_n, 3);
}

static void a_worker_goes_on_after_a_failed_receive(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    s->receive_says = SL_DISCONNECTED;
    s->bodies_n = 0;
    s->stops_at = 5;
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_OK);
    assert_true(s->receives >= 5);
    assert_int_equal(s->loads, 0);
}

static void a_worker_that_cannot_go_on_stops_all_and_says_why(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    answers(s, 1, (struct answer){ .rc = SL_SCHEMA });
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_SCHEMA);
    assert_true(atomic_load(&s->w.stop.is_asked));
    assert_true(atomic_load(&s->w.stop.is_urgent));
    assert_string_equal(s->calls, "receive load ack release flush ");
    assert_int_equal(s->acked_n, 0);
}

static void a_stop_during_an_outage_is_no_failure_of_the_worker(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    answers(s, 1, (struct answer){ .rc = SL_DISCONNECTED, .tells_to_stop = true });
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_OK);
    assert_int_equal(s->acked_n, 0);
    assert_int_equal(s->released_n, 3);
}

static void a_worker_waits_for_the_sink_and_goes_on(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    s->w.cfg.outage_patience_s = 0;
    s->stops_at = 2;
    s->probes_fail = 1;
    answers(s, 1, (struct answer){ .rc = SL_UNAVAILABLE });
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_OK);
    assert_string_equal(s->calls, "receive load pause ack release give_back probe give_back probe "
                                  "resume receive ack release receive ack release flush ");
    assert_int_equal(s->released_n, 3);
}

static void a_worker_that_is_to_exit_on_an_outage_stops_all(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    s->w.cfg.outage_patience_s = 0;
    s->exits_on_outage = true;
    answers(s, 1, (struct answer){ .rc = SL_UNAVAILABLE });
    work(s, &w);
    assert_int_equal(w.failure.rc, SL_OUTAGE);
    assert_true(atomic_load(&s->w.stop.is_asked));
    assert_int_equal(s->released_n, 3);
}

static void a_worker_whose_counts_do_not_add_up_says_so(void **state)
{
    struct scene *s = *state;
    struct sl_worker w;

    s->stops_at = 1;
    s->in_flight = 1; /* of which nothing was received */
    work(s, &w);
    assert_true(sl_counted(&w.counters.mismatches) > 0);
}

static int quiet(void **state)
{
    (void)state;
    sl_log_init(SL_LOG_TEXT, (enum sl_log_level)(SL_LOG_ERROR + 1));
    return 0;
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, scene_new, scene_free)
    const struct CMUnitTest tests[] = {
        RULE(acks_after_the_load_and_not_before),
        RULE(never_acks_a_failed_load),
        RULE(acks_only_what_has_an_outcome),
        RULE(hands_back_what_has_no_outcome),
        RULE(an_empty_receive_loads_nothing),
        RULE(a_failed_receive_is_reported_and_loads_nothing),
        RULE(a_bad_record_is_loaded_as_a_dead_letter_beside_its_neighbours),
        RULE(never_loads_cleartext),
        RULE(a_value_too_long_to_mask_is_no_row),
        RULE(memory_that_runs_out_hands_the_batch_back),
        RULE(what_does_not_fit_into_memory_is_taken_in_smaller_batches),
        RULE(an_outage_pauses_receiving_and_keeps_the_batch),
        RULE(an_outage_is_waited_out_in_the_workers_one_wait),
        RULE(every_code_that_may_be_retried_is_an_outage),
        RULE(every_code_that_stops_ends_the_load_at_once),
        RULE(a_load_that_stops_after_an_outage_keeps_its_own_report),
        RULE(told_to_stop_during_an_outage_it_hands_back_and_says_so),
        RULE(a_stop_that_is_not_urgent_waits_for_the_end_of_an_outage),
        RULE(told_to_stop_it_still_loads_what_it_holds),
        RULE(what_was_committed_before_an_outage_is_acked_though_the_rest_goes_back),
        RULE(counts_each_outcome_once_over_any_number_of_tries),
        RULE(a_refused_row_is_sealed_and_loaded_again),
        RULE(several_rows_may_be_refused_one_after_the_other),
        RULE(a_worker_told_to_stop_loads_what_still_comes_and_flushes),
        RULE(a_worker_goes_on_after_a_failed_receive),
        RULE(a_worker_that_cannot_go_on_stops_all_and_says_why),
        RULE(a_stop_during_an_outage_is_no_failure_of_the_worker),
        RULE(what_is_left_is_counted_as_returned_and_never_loaded),
        RULE(what_is_left_holds_back_those_behind_it_in_its_group),
        RULE(what_is_left_holds_nothing_back_where_there_is_no_order),
        RULE(what_the_ledger_knows_is_not_left),
        RULE(good_records_alone_ask_nobody),
        RULE(letters_are_sent_before_the_load_and_once_for_all_its_attempts),
        RULE(a_dead_letter_queue_that_is_away_is_an_outage),
        RULE(waiting_for_the_sink_waits_for_the_dead_letter_queue_too),
        RULE(past_the_patience_the_batch_is_handed_back_and_receiving_stays_paused),
        RULE(waiting_for_the_sink_holds_nothing_and_ends_with_a_probe_that_succeeds),
        RULE(told_to_stop_it_waits_for_the_sink_no_longer),
        RULE(each_hand_back_doubles_the_patience_until_something_is_taken),
        RULE(a_worker_waits_for_the_sink_and_goes_on),
        RULE(a_worker_that_is_to_exit_on_an_outage_stops_all),
        RULE(a_worker_whose_counts_do_not_add_up_says_so),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
