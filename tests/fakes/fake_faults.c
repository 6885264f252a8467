/* tests/fakes/fake_faults.c - rules that say which calls go wrong, and how. */
#include "fake_faults.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_message.h"

static const struct {
    const char *name;
    enum fake_moment moment;
} kinds[] = {
    [FAKE_FAULT_NONE] = { "none", FAKE_INSIDE },

#define X(name, text, when) [FAKE_FAULT_##name] = { text, FAKE_##when },
#include "fake_faults.def"
#undef X
};

const char *fake_fault_name(enum fake_fault_kind kind)
{
    return kinds[kind].name;
}

enum fake_moment fake_fault_moment(enum fake_fault_kind kind)
{
    return kinds[kind].moment;
}

static bool fault_text(const struct sl_json *rule, const char *name, char *out, size_t max)
{
    const struct sl_json *j = sl_json_member(rule, sl_str_of(name));

    if (j == NULL) {
        return true;
    }
    if (j->type != SL_JSON_STRING || j->text.len >= max) {
        return false;
    }
    (void)snprintf(out, max, "%" SL_FMT, SL_ARG(sl_cleartext_publish(j->text)));
    return true;
}

static bool fault_count(const struct sl_json *rule, const char *name, uint64_t *ret)
{
    const struct sl_json *j = sl_json_member(rule, sl_str_of(name));
    int64_t n;

    if (j == NULL) {
        return true;
    }
    if (!sl_str_to_i64(sl_cleartext_publish(j->text), &n) || n < 0) {
        return false;
    }
    *ret = (uint64_t)n;
    return true;
}

static bool fault_share(const struct sl_json *rule, const char *name, double *ret)
{
    const struct sl_json *j = sl_json_member(rule, sl_str_of(name));
    char text[32];
    char *end;

    if (j == NULL) {
        return true;
    }
    (void)snprintf(text, sizeof text, "%" SL_FMT, SL_ARG(sl_cleartext_publish(j->text)));
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret >= 0 && *ret <= 1;
}

/* Rules are written by hand: a word that means nothing is a mistake. */
static bool fault_has_known_members(const struct sl_json *rule)
{
    static const char *const known[] = { "fault", "action",      "queue", "times",
                                         "skip",  "probability", "share", "ms" };

    for (const struct sl_json *j = rule->child; j != NULL; j = j->next) {
        size_t i = 0;

        while (i < sizeof known / sizeof known[0] &&
               !sl_str_eq(sl_str_of(known[i]), sl_cleartext_publish(j->name))) {
            i++;
        }
        if (i == sizeof known / sizeof known[0]) {
            return false;
        }
    }
    return true;
}

const char *fake_faults_add(struct fake_faults *f, const struct sl_json *rule)
{
    struct fake_fault fault = {
        .action = "*", .times = UINT64_MAX, .probability = 1, .share = 0.5, .ms = 1000
    };
    char name[32] = "";
    uint64_t ms = 1000;

    if (f->n == sizeof f->rules / sizeof f->rules[0]) {
        return "there are too many rules";
    }
    if (rule->type != SL_JSON_OBJECT || !fault_has_known_members(rule)) {
        return "a rule has fault, action, queue, times, skip, probability, share, ms";
    }
    if (sl_json_member(rule, SL_STR("probability")) == NULL) {
        fault.times = 1;
    }
    if (!fault_text(rule, "fault", name, sizeof name) ||
        !fault_text(rule, "action", fault.action, sizeof fault.action) ||
        !fault_text(rule, "queue", fault.queue, sizeof fault.queue) ||
        !fault_count(rule, "times", &fault.times) || !fault_count(rule, "skip", &fault.skip) ||
        !fault_count(rule, "ms", &ms) || !fault_share(rule, "share", &fault.share) ||
        !fault_share(rule, "probability", &fault.probability)) {
        return "a member of the rule is of the wrong type or out of bounds";
    }
    fault.ms = (int64_t)ms;
    for (unsigned i = 1; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            fault.kind = (enum fake_fault_kind)i;
            f->rules[f->n++] = fault;
            return NULL;
        }
    }
    return "there is no such fault";
}

bool fake_faults_take(struct fake_faults *f, sl_str action, sl_str queue, struct fake_fault *ret)
{
    for (unsigned i = 0; i < f->n; i++) {
        struct fake_fault *rule = &f->rules[i];

        if (rule->times == 0 ||
            (strcmp(rule->action, "*") != 0 && !sl_str_eq(sl_str_of(rule->action), action)) ||
            (rule->queue[0] != '\0' && !sl_str_eq(sl_str_of(rule->queue), queue))) {
            continue;
        }
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        if (rule->probability < 1 && fake_random_share(&f->random) >= rule->probability) {
            continue;
        }
        if (rule->times != UINT64_MAX) {
            rule->times--;
        }
        rule->hits++;
        *ret = *rule;
        return true;
    }
    return false;
}

void fake_faults_write(const struct fake_faults *f, struct sl_buf *out)
{
    sl_buf_add_char(out, '[');
    for (unsigned i = 0; i < f->n; i++) {
        const struct fake_fault *rule = &f->rules[i];

        sl_buf_printf(out, "%s{\"fault\":\"%s\",\"action\":", i > 0 ? "," : "",
                      fake_fault_name(rule->kind));
        sl_buf_add_json(out, sl_str_of(rule->action));
        sl_buf_add_str(out, SL_STR(",\"queue\":"));
        sl_buf_add_json(out, sl_str_of(rule->queue));
        sl_buf_printf(out, ",\"hits\":%ju,\"left\":", (uintmax_t)rule->hits);
        if (rule->times == UINT64_MAX) {
            sl_buf_add_str(out, SL_STR("null}"));
        } else {
            sl_buf_printf(out, "%ju}", (uintmax_t)rule->times);
        }
    }
    sl_buf_add_char(out, ']');
}
