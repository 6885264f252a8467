/* config/settings.c - THE TABLE of settings. */
#include "config/settings.h"

#define AT(m)   .member = #m, .at = offsetof(struct sl_config, m)
#define FLAG(m) .flag_at = offsetof(struct sl_overrides, m)

/* In the order of the manual; the settings of one section stand together. */
static const struct sl_setting rows[] = {
    {
        .path = "source.sqs.queue_url",
        AT(sqs.queue_url),
        .kind = SL_KIND_QUEUE_URL,
        .flag = "--queue-url",
        FLAG(queue_url),
        .preset_doc = "this, `queue` or `source.file.path` must be given",
        .doc = "The queue to read, as `aws sqs get-queue-url` prints it.",
    },
    {
        .path = "source.sqs.queue",
        AT(sqs.queue),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 256,
        .preset_doc = "this, `queue_url` or `source.file.path` must be given",
        .doc = "The queue to read, by its name or its ARN: its URL is asked for at the start "
               "(`sqs:GetQueueUrl`). The region of an ARN is used.",
    },
    {
        .path = "source.sqs.region",
        AT(sqs.region),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 64,
        .preset_doc = "from the queue URL, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, the "
                      "instance",
        .doc = "The AWS region that requests are signed for.",
    },
    {
        .path = "source.sqs.endpoint",
        AT(sqs.endpoint),
        .kind = SL_KIND_ENDPOINT,
        .preset_doc =
            "from `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL`, the profile, the queue URL, "
            "else AWS of the region",
        .doc = "Where requests are sent, if not to the host of the queue URL.",
    },
    {
        .path = "source.sqs.profile",
        AT(sqs.profile),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 128,
        .preset_doc = "from `AWS_PROFILE`, else `default`",
        .doc = "The profile of the shared AWS configuration and credentials files to use.",
    },
    {
        .path = "source.sqs.access_key_id",
        AT(sqs.access_key_id),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 256,
        .preset_doc = "from the profile or the environment",
        .doc = "An AWS access key, together with `secret_access_key`. Better left to the "
               "environment or a profile.",
    },
    {
        .path = "source.sqs.secret_access_key",
        AT(sqs.secret_access_key),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 256,
        .is_secret = true,
        .preset_doc = "from the profile or the environment",
        .doc = "The secret of `access_key_id`; write `${NAME}` rather than the secret itself.",
    },
    {
        .path = "source.sqs.session_token",
        AT(sqs.session_token),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 8192,
        .is_secret = true,
        .preset_doc = "none",
        .doc = "The session token that goes with temporary credentials.",
    },
    {
        .path = "source.sqs.role_arn",
        AT(sqs.role_arn),
        .kind = SL_KIND_PRINTABLE,
        .min = 20, /* STS limits, here and below */
        .max = 2048,
        .preset_doc = "none",
        .doc = "A role to become, as whoever the credentials are of: for a queue of another "
               "account.",
    },
    {
        .path = "source.sqs.external_id",
        AT(sqs.external_id),
        .kind = SL_KIND_PRINTABLE,
        .min = 2,
        .max = 1224,
        .preset_doc = "none",
        .doc = "What the other account asks for before `role_arn` may be assumed.",
    },
    {
        .path = "source.sqs.role_session_name",
        AT(sqs.role_session_name),
        .kind = SL_KIND_PRINTABLE,
        .min = 2,
        .max = 64,
        .preset_doc = "`sluice`",
        .doc = "The name that the other account sees in its logs.",
    },
    {
        .path = "source.sqs.protocol",
        AT(sqs.protocol),
        .kind = SL_KIND_WORD,
        .words = { [SL_SQS_PROTOCOL_AUTO] = "auto",
                   [SL_SQS_PROTOCOL_JSON] = "json",
                   [SL_SQS_PROTOCOL_QUERY] = "query" },
        .preset = SL_SQS_PROTOCOL_AUTO,
        .doc = "What the queue is spoken to in: the JSON protocol, or the Query protocol with its "
               "XML, which servers from before November 2023 know alone. `auto` asks in JSON, and "
               "in Query if that is not understood.",
    },
    {
        .path = "source.sqs.visibility_timeout",
        AT(sqs.visibility_timeout_s),
        .kind = SL_KIND_SECONDS,
        .min = 0,
        .max = 43200, /* SQS: 12 hours */
        .unit = "s",
        .preset_doc = "the queue's own",
        .doc = "How long a received message stays hidden from other readers. It is renewed at "
               "half this time while its load goes on; `0` means the queue's own.",
    },
    {
        .path = "source.sqs.wait_time",
        AT(sqs.wait_time_s),
        .kind = SL_KIND_SECONDS,
        .min = 0,
        .max = 20, /* SQS: the longest long poll */
        .preset = 20,
        .unit = "s",
        .doc = "How long a receive waits for messages (long poll).",
    },
    {
        .path = "source.sqs.receives",
        AT(sqs.receives),
        .kind = SL_KIND_COUNT,
        .min = 1,
        .max = 64,
        .has_auto = true,
        .doc =
            "Receives in flight at once, a worker; `auto` goes by what the answers bring, and by "
            "how long they take.",
    },
    {
        .path = "source.file.path",
        AT(files.path),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 4095, /* Linux: PATH_MAX without its NUL */
        .preset_doc = "messages come from the queue",
        .doc =
            "Files to read in place of a queue, a JSON object a line, also packed by gzip or "
            "zstd: one path, with `*`, `?`, `[a-z]` and `{a,b}` for several; `-` is stdin. Needs "
            "`dedup: field:NAME` or `dedup: body`.",
    },
    {
        .path = "envelope",
        AT(envelope),
        .kind = SL_KIND_WORD,
        .words = { [SL_ENVELOPE_NONE] = "none",
                   [SL_ENVELOPE_SNS] = "sns",
                   [SL_ENVELOPE_EVENTBRIDGE] = "eventbridge",
                   [SL_ENVELOPE_S3] = "s3" },
        .preset = SL_ENVELOPE_NONE,
        .doc = "What the event comes in: `sns`, a notification of SNS, whose `Message` is the "
               "body then; `eventbridge`, an event of EventBridge, whose `detail` is: "
               "`$attribute.NAME` is taken from the envelope; `s3`, an object of S3, to which the "
               "body points as the extended client writes it.",
    },
    {
        .path = "encoding",
        AT(encoding),
        .kind = SL_KIND_WORD,
        .words = { [SL_ENCODING_NONE] = "none", [SL_ENCODING_GZIP_BASE64] = "gzip+base64" },
        .preset = SL_ENCODING_NONE,
        .doc = "How the body, out of its envelope, is packed: `gzip+base64`, packed by gzip, which "
               "is written in base64.",
    },
    {
        .path = "delete_objects",
        AT(delete_objects),
        .kind = SL_KIND_BOOL,
        .doc = "With `envelope: s3`: delete an object from S3 once its row is committed. Needs "
               "`dedup: message_id`. Without it they are left to the bucket's own rules.",
    },
    {
        .path = "keys.file",
        AT(keys.file),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 4095, /* Linux: PATH_MAX without its NUL */
        .flag = "--keys",
        FLAG(keys),
        .preset_doc = "one of `keys.*` must be given",
        .doc = "The key file, made by `sluice keys new`: it masks columns and seals dead letters. "
               "A relative path starts at the current directory.",
    },
    {
        .path = "keys.env",
        AT(keys.env),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 128,
        .preset_doc = "none",
        .doc = "The environment variable that holds the text of a key file; it is taken out of "
               "the environment once it has been read.",
    },
    {
        .path = "keys.credential",
        AT(keys.credential),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 255,
        .preset_doc = "none",
        .doc = "The name of a systemd credential (`LoadCredential=`) with the text of a key file.",
    },
    {
        .path = "keys.command",
        AT(keys.command),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 1024,
        .preset_doc = "none",
        .doc = "A program that prints a key file, `sops -d sluice.keys.enc` or `age -d -i id "
               "sluice.keys.age`: words with blanks between, run without a shell.",
    },
    {
        .path = "keys.fd",
        AT(keys.fd),
        .kind = SL_KIND_COUNT,
        .max = 1023,
        .preset_doc = "none",
        .doc = "An open descriptor, 3 or more, that a key file is read from; it is closed then.",
    },
    {
        .path = "keys.kms.file",
        AT(keys.kms_file),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 4095, /* Linux: PATH_MAX without its NUL */
        .preset_doc = "none",
        .doc = "A key file whose keys are wrapped by AWS KMS, made by `sluice keys wrap`; they are "
               "decrypted at the start (`kms:Decrypt`).",
    },
    {
        .path = "keys.secret",
        AT(keys.secret_arn),
        .kind = SL_KIND_SECRET,
        .preset_doc = "none",
        .doc = "The ARN of a secret of AWS Secrets Manager with the text of a key file "
               "(`secretsmanager:GetSecretValue`).",
    },
    {
        .path = "vault.url",
        AT(vault.url),
        .kind = SL_KIND_POSTGRES,
        .is_secret = true,
        .preset_doc = "no vault",
        .doc = "Another database, in which the originals of one-way tokens (`hmac`, `sha256`) are "
               "kept, sealed with the key ring, before the rows are loaded.",
    },
    {
        .path = "vault.table",
        AT(vault.table),
        .kind = SL_KIND_TABLE,
        .preset_doc = "`sluice_vault`",
        .doc = "The table of the vault, `name` or `schema.name`; made where it is missing, as "
               "`sink.postgres.create` says.",
    },
    {
        .path = "sink.postgres.url",
        AT(postgres.url),
        .kind = SL_KIND_POSTGRES,
        .is_secret = true,
        .flag = "--postgres-url",
        FLAG(postgres_url),
        .preset_doc = "from libpq's environment: `PGHOST`, `PGUSER`, `PGSERVICE`, ...",
        .doc = "The database: `postgresql://user@host:5432/name`, or libpq's `key=value` words. "
               "Passwords belong in the environment, a passfile or a service file.",
    },
    {
        .path = "sink.postgres.url_secret",
        AT(postgres.url_secret),
        .kind = SL_KIND_SECRET,
        .preset_doc = "none",
        .doc = "The ARN of a secret of AWS Secrets Manager with the database's URL, or with the "
               "JSON that RDS keeps there. User and password are the secret's; of the rest, `url` "
               "goes first. It is read again when the database refuses the password.",
    },
    {
        .path = "sink.postgres.auth",
        AT(postgres.auth),
        .kind = SL_KIND_WORD,
        .words = { [SL_AUTH_PASSWORD] = "password", [SL_AUTH_IAM] = "iam" },
        .preset = SL_AUTH_PASSWORD,
        .doc = "How the database is entered: with what the URL, the secret or libpq's environment "
               "has; or with a token that RDS takes of an AWS identity (`rds-db:connect`), made "
               "for each connection, over TLS.",
    },
    {
        .path = "sink.postgres.table",
        AT(postgres.table),
        .kind = SL_KIND_TABLE,
        .is_required = true,
        .flag = "--table",
        FLAG(table),
        .doc = "The table that rows go to: `name` or `schema.name`, taken exactly as written, "
               "capitals kept. A part with a dot or a space in it goes into double quotes.",
    },
    {
        .path = "sink.postgres.create",
        AT(postgres.create),
        .kind = SL_KIND_WORD,
        .words = { [SL_CREATE_NEVER] = "never",
                   [SL_CREATE_IF_MISSING] = "if_missing",
                   [SL_CREATE_ADD_COLUMNS] = "add_columns" },
        .preset = SL_CREATE_IF_MISSING,
        .doc = "Whether a missing table, and sluice's own schema, are created at the start; with "
               "`add_columns` columns that the table lacks, too. Nothing is ever dropped or "
               "altered. `sluice sql schema` prints what would be run.",
    },
    {
        .path = "pipeline",
        AT(pipeline),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 64,
        .preset_doc = "the target table with its schema",
        .doc = "The name under which the ledger knows what is loaded. Two pipelines may load the "
               "same message once each.",
    },
    {
        .path = "dedup",
        AT(dedup),
        .kind = SL_KIND_WORD,
        .words = { [SL_DEDUP_MESSAGE_ID] = "message_id",
                   [SL_DEDUP_FIELD] = "field:",
                   [SL_DEDUP_BODY] = "body" },
        .argument = "NAME",
        .argument_at = offsetof(struct sl_config, dedup_field),
        .preset = SL_DEDUP_MESSAGE_ID,
        .doc =
            "What makes two messages the same: the queue's id; a field of the body, written like "
            "a column's `from`, or `$attribute.NAME`; or the whole body, which merges identical "
            "events. A record without the field, or with an empty one, is a dead letter.",
    },
    {
        .path = "dedup_window",
        AT(dedup_window_s),
        .kind = SL_KIND_SECONDS,
        .min = 3600,
        .max = INT64_C(3650) * 86400,
        .preset = INT64_C(15) * 86400,
        .unit = "s",
        .doc = "With `field:` and `body`, and for FIFO queues: how long the ledger remembers a key "
               "at least.",
    },
    {
        .path = "ledger_days",
        AT(ledger_days),
        .kind = SL_KIND_COUNT,
        .min = 15, /* SQS keeps a message for 14 days at most */
        .max = 29, /* of 32 slots of a day each, yesterday's to tomorrow's are never emptied */
        .preset = 15,
        .doc = "With `message_id`: for how many days the ledger remembers a message at least, "
               "counted from when it was sent.",
    },
    {
        .path = "dead_letter",
        AT(dead_letter),
        .kind = SL_KIND_WORD,
        .words = { [SL_DEAD_LETTER_TABLE] = "table",
                   [SL_DEAD_LETTER_LEAVE] = "leave",
                   [SL_DEAD_LETTER_QUEUE] = "queue:" },
        .argument = "URL",
        .argument_kind = SL_KIND_QUEUE_URL,
        .argument_at = offsetof(struct sl_config, dead_letter_url),
        .preset = SL_DEAD_LETTER_TABLE,
        .doc = "Where a record goes that cannot be loaded: to `sluice.dead_letter`, its body "
               "sealed; left in the queue, for the queue's own redrive policy; or to another "
               "queue, its body sealed, at least once; what is too large for a message still goes "
               "to the table.",
    },
    {
        .path = "dead_letter_days",
        AT(dead_letter_days),
        .kind = SL_KIND_COUNT,
        .max = 36500,
        .preset_doc = "`0`: until `sluice dead purge`",
        .doc = "For how many days dead letters are kept in `sluice.dead_letter`.",
    },
    {
        .path = "outage_patience",
        AT(outage_patience_s),
        .kind = SL_KIND_SECONDS,
        .min = 1,
        .max = 39600, /* 11 hours: SQS hides a message for 12 at most */
        .preset = 900,
        .unit = "s",
        .doc = "How long messages are held while the database takes nothing; then they are handed "
               "back to the queue, and the wait goes on without them.",
    },
    {
        .path = "stall_after",
        AT(stall_after_s),
        .kind = SL_KIND_SECONDS,
        .min = 1,
        .max = 86400,
        .preset = 300,
        .unit = "s",
        .doc = "A worker that has shown no progress for so long is reported; twice as long, and "
               "the program ends with status 75, to be started anew. Below two minutes a slow "
               "statement counts as well.",
    },
    {
        .path = "workers",
        AT(workers),
        .kind = SL_KIND_COUNT,
        .min = 1,
        .max = 256,
        .has_auto = true,
        .preset_doc = "`auto`: the number of cores that the process may use",
        .doc =
            "Workers: each has a thread, a database connection and receives of its own. What the "
            "process may use is what its CPU affinity and its cgroups leave to it; a part of a "
            "core counts as one.",
    },
    {
        .path = "memory",
        AT(memory_bytes),
        .kind = SL_KIND_SIZE,
        .min = INT64_C(8) << 20,
        .max = INT64_C(64) << 30,
        .preset = INT64_C(64) << 20,
        .unit = "bytes",
        .doc = "Memory for everything in flight, of all workers together.",
    },
    {
        .path = "linger",
        AT(linger_ms),
        .kind = SL_KIND_MS,
        .min = 0,
        .max = 60000,
        .preset = 200,
        .unit = "ms",
        .doc = "The longest wait for a fuller batch once a message is there.",
    },
    {
        .path = "tracing",
        AT(tracing),
        .kind = SL_KIND_BOOL,
        .doc = "Whether each dead letter is a line of the log, with the id of its message's trace "
               "(`trace.id`), which the queue is then asked for.",
    },
    {
        .path = "http.listen",
        AT(http.listen),
        .kind = SL_KIND_LISTEN,
        .preset_doc = "nothing is answered",
        .doc = "Where the console, `/metrics`, `/healthz` and `/readyz` are answered, to anybody "
               "who asks: `127.0.0.1:9464`, `[::1]:9464`; a port alone is this machine only, and "
               "port 0 any that is free, which the log names.",
    },
    {
        .path = "http.token_file",
        AT(http.token_file),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 4095, /* Linux: PATH_MAX without its NUL */
        .preset_doc = "`$SLUICE_HTTP_TOKEN`",
        .doc = "A file with the token that actions of the console take: retry and purge of dead "
               "letters. Without a token there are none.",
    },
    {
        .path = "allow_cleartext",
        AT(allow_cleartext),
        .kind = SL_KIND_BOOL,
        .doc = "Let `$body`, or a field that another column masks, into a column that is not "
               "masked.",
    },
    {
        .path = "columns",
        AT(columns),
        .kind = SL_KIND_COLUMNS,
        .is_required = true,
        .min = 1,
        .max = 1000,
        .doc = "The columns to fill, in the order of the table; see below.",
    },
};

const struct sl_settings sl_settings = { rows, sizeof rows / sizeof rows[0] };

_Static_assert(sizeof rows / sizeof rows[0] <= SL_SETTINGS_MAX, "places have a fixed size");
