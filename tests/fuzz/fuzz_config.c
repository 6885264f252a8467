/* tests/fuzz/fuzz_config.c - any bytes as a configuration: what is taken is within the limits of
 * the tables, what is refused has a place in the text, and masks are made of what was taken or
 * refused with a reason.
 */
#include "config/columns.h"
#include "fuzz.h"
#include "keys/keyring_build.h"
#include "masking/column_mask.h"

enum { TEXT_MAX = 32 << 10, NODES_MAX = 50000, DEPTH_MAX = 16 };

static struct sl_keyring *ring;

/* ---- the tree ---------------------------------------------------------------------------------- */

static void check_place(struct sl_place at, sl_str text)
{
    must(at.name != NULL && at.line >= 1 && at.line <= text.len + 1 && at.column >= 1 &&
             at.column <= text.len + 2,
         "a place outside of the text");
}

static unsigned check_node(const struct sl_yaml *y, unsigned depth, sl_str text)
{
    unsigned nodes = 1;
    unsigned n = 0;

    must(depth <= DEPTH_MAX, "a tree that is too deep");
    check_place(y->at, text);
    for (const struct sl_yaml *child = y->child; child != NULL; child = child->next) {
        must(y->kind != SL_YAML_SCALAR, "a text with values in it");
        if (y->kind == SL_YAML_MAP) {
            check_place(child->name_at, text);
            must(child->name.ptr != NULL, "a member without a name");
        }
        nodes += check_node(child, depth + 1, text);
        n++;
    }
    must(n == y->n, "another number of values");
    must(y->kind != SL_YAML_SCALAR || (y->text.ptr != NULL && y->text.ptr[y->text.len] == '\0'),
         "a text without an end");
    return nodes;
}

/* Returns: the code of what a configuration cannot be, SL_OK when there is a tree. */
static sl_rc check_yaml(sl_str text)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    const struct sl_yaml *root = NULL;
    struct sl_err e = { 0 };
    sl_rc rc;

    sl_arena_init(&a, 32 << 20, 16 << 10);
    rc = sl_yaml_parse("s.yaml", text, &a, &root, &e);
    if (rc == SL_OK) {
        must(root == NULL || check_node(root, 0, text) <= NODES_MAX, "a tree that is too large");
        return root == NULL ? SL_CONFIG : SL_OK;
    }
    must_say(&e, rc);
    must(rc == SL_CONFIG && root == NULL, "a refusal of another kind");
    return rc;
}

/* ---- the struct -------------------------------------------------------------------------------- */

static void check_text(const struct sl_setting *s, const char *member)
{
    sl_str text;

    memcpy(&text, member, sizeof text);
    must(text.ptr != NULL && text.ptr[text.len] == '\0', "a text without an end");
    must(strlen(text.ptr) == text.len, "a text with a NUL in it");
    must(text.len == 0 || s->max == 0 || s->kind == SL_KIND_TABLE || s->kind == SL_KIND_TYPE ||
             ((int64_t)text.len >= s->min && (int64_t)text.len <= s->max),
         "a text over its limits");
}

static void check_number(const struct sl_setting *s, const char *member)
{
    unsigned small = 0;
    size_t size = 0;
    int64_t value;

    if (s->kind == SL_KIND_SIZE) {
        memcpy(&size, member, sizeof size);
    } else {
        memcpy(&small, member, sizeof small);
    }
    value = s->kind == SL_KIND_SIZE ? (int64_t)size : (int64_t)small;
    must(value == s->preset || (s->has_auto && value == 0) || (value >= s->min && value <= s->max),
         "a number over its limits");
}

static void check_table(const struct sl_settings *t, const void *base)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct sl_setting *s = &t->rows[i];
        const char *member = (const char *)base + s->at;

        if (sl_kind_is_text(s->kind)) {
            check_text(s, member);
        } else if (s->kind == SL_KIND_COUNT || s->kind == SL_KIND_SECONDS ||
                   s->kind == SL_KIND_MS || s->kind == SL_KIND_SIZE) {
            check_number(s, member);
        }
    }
}

static void check_column(const struct sl_column *c)
{
    check_table(&sl_column_settings, c);
    must(c->name.len > 0 && c->type <= SL_TYPE_JSONB && c->line > 0, "a column of nothing");
    must((c->from == SL_FROM_PATH) == (c->path_n > 0), "a path that leads nowhere");
    must((c->type == SL_TYPE_VARCHAR) == (c->max_chars > 0), "a limit without a length");
    must((c->from == SL_FROM_ATTRIBUTE) == (c->attribute.len > 0), "an attribute without a name");
}

/* What the tables cannot say is said by who makes the masks. */
static void check_masks(const struct sl_config *cfg)
{
    struct sl_masks masks = { 0 };
    struct sl_err e = { 0 };
    const sl_rc rc = sl_masks_open(cfg, ring, &masks, &e);

    if (rc != SL_OK) {
        must(rc == SL_CONFIG || rc == SL_KEY, "a refusal of another kind");
        must_say(&e, rc);
    }
    sl_masks_close(&masks);
}

static void check_config(const struct sl_config *cfg)
{
    must(cfg->columns_n > 0, "a configuration without columns");
    must(cfg->sqs.queue_url.len > 0 && cfg->postgres.table_name.len > 0, "without source or sink");
    check_table(&sl_settings, cfg);
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        check_column(&cfg->columns[i]);
        for (unsigned k = 0; k < i; k++) {
            must(!sl_str_eq(cfg->columns[i].name, cfg->columns[k].name), "a column twice");
        }
    }
    check_masks(cfg);
}

static void world_new(void)
{
    unsigned char master[SL_KEY_BYTES];

    memset(master, 0x17, sizeof master);
    must(sl_keyring_new(&ring, NULL) == SL_OK &&
             sl_keyring_add(ring, SL_STR("k1"), SL_KEY_ACTIVE, master, NULL) == SL_OK &&
             sl_keyring_finish(ring, NULL) == SL_OK,
         "no key ring");
    must(clearenv() == 0 && setenv("A", "a value", 1) == 0 && setenv("EMPTY", "", 1) == 0,
         "environment");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str text = { (const char *)data, n };
    struct sl_config cfg = { .workers = 77 };
    struct sl_err e = { 0 };
    sl_rc yaml;
    sl_rc rc;

    if (n > TEXT_MAX) {
        return 0;
    }
    if (ring == NULL) {
        world_new();
    }
    yaml = check_yaml(text);
    rc = sl_config_parse("s.yaml", text, NULL, &cfg, &e);
    must(yaml == SL_OK || rc == yaml, "more than YAML is taken");
    if (rc == SL_OK) {
        check_config(&cfg);
        sl_config_done(&cfg);
        return 0;
    }
    must(rc == SL_CONFIG && cfg.workers == 77, "a refusal of another kind");
    must_say(&e, rc);
    must(strncmp(e.msg, "s.yaml", 6) == 0, "a refusal without a place");
    return 0;
}
