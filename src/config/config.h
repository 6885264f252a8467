/* config/config.h - what the YAML file says, checked, as one struct.
 *
 * Everything here is read-only once loaded and lives in the configuration's own arena.
 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum sl_type {
    SL_TYPE_VARCHAR, /* varchar(n), n in max_chars */
    SL_TYPE_TEXT,
    SL_TYPE_INTEGER,
    SL_TYPE_BIGINT,
    SL_TYPE_DOUBLE,
    SL_TYPE_BOOLEAN,
    SL_TYPE_DATE,
    SL_TYPE_TIMESTAMPTZ,
    SL_TYPE_UUID,
    SL_TYPE_INET,
    SL_TYPE_JSONB,
};

enum sl_from {
    SL_FROM_PATH,          /* a field of the body */
    SL_FROM_MESSAGE_ID,    /* $message_id */
    SL_FROM_SENT_AT,       /* $sent_at */
    SL_FROM_RECEIVED_AT,   /* $received_at */
    SL_FROM_RECEIVE_COUNT, /* $receive_count */
    SL_FROM_ATTRIBUTE,     /* $attribute.NAME */
    SL_FROM_BODY,          /* $body */
    SL_FROM_TRACE_ID,      /* $trace_id */
};

/* How a column is masked; the table is masking/methods.def. */
enum sl_mask {
    SL_MASK_NONE,

#define X(name, ...) SL_MASK_##name,
#include "masking/methods.def"
#undef X
};

enum sl_mask_flag {
    SL_MASK_REVERSIBLE = 1 << 0,
    SL_MASK_JOINS = 1 << 1,
    SL_MASK_SEALED = 1 << 2,
    SL_MASK_HAS_KID = 1 << 3,
    SL_MASK_ONE_WAY = 1 << 4,
    SL_MASK_WEAK = 1 << 5,
};

enum sl_ip_mask { SL_IP_DETERMINISTIC, SL_IP_PREFIX };

/* What a method may be told, as written; masking/ reads and checks the texts. */
struct sl_masking {
    enum sl_mask method;
    enum sl_ip_mask ip;
    sl_str context;   /* 1..64 printable ASCII bytes */
    sl_str normalize; /* "ip, lower"; "" = nothing */
    sl_str kid;       /* whose key, where the result cannot say; "" = the ring's first */
    sl_str alphabet;  /* of fpe; "" = digits */
    sl_str format;    /* of fpe; "" = the whole value is in the alphabet */
    sl_str keep;      /* "first 3" */
    sl_str value;     /* of fixed */
    sl_str key;       /* of fernet and aes-cbc: a secret */
    sl_str iv;
};

enum sl_convert { SL_CONVERT_NONE, SL_CONVERT_VERSION, SL_CONVERT_TEXT };

enum sl_auth { SL_AUTH_PASSWORD, SL_AUTH_IAM };

enum sl_create { SL_CREATE_NEVER, SL_CREATE_IF_MISSING, SL_CREATE_ADD_COLUMNS };

enum sl_sqs_protocol { SL_SQS_PROTOCOL_AUTO, SL_SQS_PROTOCOL_JSON, SL_SQS_PROTOCOL_QUERY };

/* What a body is in, and how it is packed. */
enum sl_envelope {
    SL_ENVELOPE_NONE,
    SL_ENVELOPE_SNS,
    SL_ENVELOPE_EVENTBRIDGE,
    SL_ENVELOPE_S3, /* pointers of the extended client */
};

enum sl_encoding { SL_ENCODING_NONE, SL_ENCODING_GZIP_BASE64 };

enum sl_dedup { SL_DEDUP_MESSAGE_ID, SL_DEDUP_FIELD, SL_DEDUP_BODY };

enum sl_dead_letter { SL_DEAD_LETTER_TABLE, SL_DEAD_LETTER_LEAVE, SL_DEAD_LETTER_QUEUE };

struct sl_path_step {
    sl_str name;    /* of a member, or */
    unsigned index; /* of an element */
    bool is_index;
};

struct sl_column {
    sl_str name;      /* in the table */
    sl_str from_text; /* as written: "ip", "device.id", "tags[0]", "$sent_at" */
    sl_str attribute; /* NAME of $attribute.NAME */
    sl_str type_text; /* in its usual spelling: "varchar(128)", "integer" */
    const struct sl_path_step *path;
    unsigned path_n;
    unsigned max_chars; /* of varchar(n) */
    unsigned line;      /* in the file */
    enum sl_from from;
    enum sl_type type;
    enum sl_convert convert;
    struct sl_masking masking;
    bool is_required;
};

/* Every text of it has a NUL behind it. */
struct sl_config {
    sl_str file; /* as named on the command line, for messages */

    struct {
        sl_str queue_url;   /* "" = to be asked for, by `queue` */
        sl_str queue;       /* a name or an ARN; "" if there is a URL */
        sl_str queue_name;  /* of `queue` */
        sl_str queue_owner; /* of an ARN: the account; "" = ours */
        sl_str region;      /* "" = from queue URL, environment, profile */
        sl_str endpoint;    /* "" = from environment, profile, queue URL */
        sl_str profile;
        sl_str access_key_id;
        sl_str secret_access_key;
        sl_str session_token;
        sl_str role_arn; /* "" = none */
        sl_str external_id;
        sl_str role_session_name;
        enum sl_sqs_protocol protocol;
        unsigned visibility_timeout_s; /* 0 = the queue's own */
        unsigned wait_time_s;
        unsigned receives; /* in flight, a worker; 0 = auto */
    } sqs;

    /* In place of a queue. */
    struct {
        sl_str path; /* with wildcards; "-" is stdin; "" = messages come from the queue */
    } files;

    /* One of these is given. */
    struct {
        sl_str file;
        sl_str env;        /* the variable that holds a key file's text */
        sl_str credential; /* of systemd */
        sl_str command;    /* words with blanks between */
        unsigned fd;       /* 0 = none */
        sl_str kms_file;   /* wrapped by AWS KMS */
        sl_str secret_arn; /* of Secrets Manager */
    } keys;

    /* Where the originals of one-way tokens are kept, sealed; url "" = nowhere. */
    struct {
        sl_str url;
        sl_str table;
        sl_str table_schema;
        sl_str table_name;
    } vault;

    struct {
        sl_str url;
        sl_str url_secret; /* ARN of Secrets Manager; "" = the URL has it all */
        enum sl_auth auth;
        sl_str table;        /* as written: "user_logins", "app.Logins" */
        sl_str table_schema; /* its schema, "" if none is written */
        sl_str table_name;
        enum sl_create create;
    } postgres;

    enum sl_envelope envelope;
    enum sl_encoding encoding;
    bool delete_objects; /* of SL_ENVELOPE_S3 */
    sl_str pipeline;     /* name in the ledger; "" = the schema-qualified target table */
    enum sl_dedup dedup;
    sl_str dedup_field;          /* of SL_DEDUP_FIELD, as written; "" else */
    struct sl_column dedup_from; /* where the value is that they are known by: a `from`, no more */
    unsigned dedup_window_s;
    unsigned ledger_days;
    enum sl_dead_letter dead_letter;
    sl_str dead_letter_url;    /* of SL_DEAD_LETTER_QUEUE; "" else */
    unsigned dead_letter_days; /* 0 = for ever */
    unsigned outage_patience_s;
    unsigned stall_after_s;
    unsigned workers; /* 0 = number of cores */
    size_t memory_bytes;
    unsigned linger_ms;
    bool tracing; /* dead letters are said in the log, with their traces */

    /* Where /metrics, /healthz, /readyz and the console are answered; "" = nowhere. */
    struct {
        sl_str listen;
        sl_str token_file; /* "" = the environment may have the token */
        unsigned line;     /* in the file */
        unsigned column;
    } http;

    bool allow_cleartext; /* lets $body, and fields masked elsewhere, into columns unmasked */
    struct sl_column *columns;
    unsigned columns_n;

    struct sl_arena arena; /* holds all of the above */
};

/* What the command line says in place of the file; "" = nothing. */
struct sl_overrides {
    sl_str queue_url;
    sl_str postgres_url;
    sl_str table;
    sl_str keys;
};

/* Load and check a configuration file.
 *
 * Owns:    *ret, to be ended with sl_config_done; on failure there is nothing to end
 * Errors:  SL_CONFIG (stop)  "file:line:column: what is wrong; what is allowed"
 *          SL_CONFIG (stop)  the file cannot be read, is a directory, is over 1 MiB, is not YAML
 *          SL_NOMEM (retry)
 * Threads: main only; Blocks: on the file
 */
sl_rc sl_config_load(const char *file, const struct sl_overrides *overrides, struct sl_config *ret,
                     struct sl_err *e) SL_MUST_CHECK;

/* As sl_config_load, from text in memory; `name` stands where the file's name would. */
sl_rc sl_config_parse(const char *name, sl_str text, const struct sl_overrides *overrides,
                      struct sl_config *ret, struct sl_err *e) SL_MUST_CHECK;

void sl_config_done(struct sl_config *cfg);

/* The text of examples/user-logins/sluice.yaml, built in; the environment says what differs. */
extern const char sl_config_example[];

/* Print the manual of all settings (Markdown) from their table. */
void sl_config_manual(struct sl_buf *out);

/* True when the ledger is that of keys: messages are known by a value; or the queue is a FIFO queue, where
 * sent_at, which the other ledger goes by, is not stable. */
bool sl_config_is_keyed(const struct sl_config *cfg);

/* True when messages are the lines of files, not those of a queue. */
bool sl_config_reads_files(const struct sl_config *cfg);

/* True when attributes stand in the body, in its envelope, and not beside it. */
bool sl_config_has_own_attributes(const struct sl_config *cfg);

/* True when the queue is to be asked for the traces of messages: for a column, or for the log. */
bool sl_config_wants_trace(const struct sl_config *cfg);

/* The word of a method ("siv"), and its flags. */
const char *sl_mask_name(enum sl_mask method);
unsigned sl_mask_flags(enum sl_mask method);

/* The name of a column type ("varchar", "double precision"), static. */
const char *sl_type_name(enum sl_type type);

/* The password of a PostgreSQL URL or conninfo, replaced: for messages and logs.
 *
 * Owns:    the result lives in `a`; ptr is NULL when memory ran out
 */
sl_str sl_config_redact(sl_str url, struct sl_arena *a);

/* True when a PostgreSQL URL or conninfo holds what sl_config_redact would replace. */
bool sl_config_has_password(sl_str url);

#endif
