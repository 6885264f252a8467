"""events.py - login messages, the row that each must become, and the table they go to."""
import json
import random
import re

BAD = '{"foo": "oops_wrong_msg_type", "bar": "123"}'

LOGIN_TABLE = """
CREATE TABLE user_logins(
    user_id             varchar(128),
    device_type         varchar(32),
    masked_ip           varchar(256),
    masked_device_id    varchar(256),
    locale              varchar(32),
    app_version         integer,
    create_date         date
"""

LOGIN_COLUMNS = [
    {"name": "user_id", "from": "user_id", "type": "varchar(128)", "required": True},
    {"name": "device_type", "from": "device_type", "type": "varchar(32)", "required": True},
    {"name": "masked_ip", "from": "ip", "type": "varchar(256)", "required": True, "mask": "siv"},
    {"name": "masked_device_id", "from": "device_id", "type": "varchar(256)", "required": True,
     "mask": "siv"},
    {"name": "locale", "from": "locale", "type": "varchar(32)"},
    {"name": "app_version", "from": "app_version", "type": "integer", "required": True,
     "convert": "version"},
    {"name": "create_date", "from": "$sent_at", "type": "date"},
]

MESSAGE_ID = {"name": "message_id", "from": "$message_id", "type": "text"}


def login(n, **changes):
    """The n-th login: different in every field that matters, the same in every run."""
    r = random.Random(n)
    value = {
        "user_id": "user-%04d" % n,
        "app_version": "%d.%d.%d" % (r.randrange(10), r.randrange(100), r.randrange(100)),
        "device_type": r.choice(["ios", "android"]),
        "ip": "203.%d.%d.%d" % (n // 256 % 256, n % 256, r.randrange(256)),
        "locale": r.choice([None, "DE", "FR", "ID"]),
        "device_id": "%03d-%02d-%04d" % (n % 1000, r.randrange(100), r.randrange(10000)),
    }
    value.update(changes)
    return json.dumps({k: v for k, v in value.items() if v is not ...})


def logins(n, first=0, **changes):
    return [login(i, **changes) for i in range(first, first + n)]


def version_number(text):
    parts = [int(p) for p in text.split(".")] + [0, 0]
    return parts[0] * 1_000_000 + parts[1] * 1_000 + parts[2]


def expected_row(body, sent_date):
    """The seven columns of a good login, unmasked."""
    v = json.loads(body)
    return (v["user_id"], v["device_type"], v["ip"], v["device_id"], v.get("locale"),
            version_number(v["app_version"]), sent_date)


def is_login(body):
    """As good as the sample's good ones; a plain check, not sluice's own."""
    try:
        v = json.loads(body)
    except ValueError:
        return False
    return (isinstance(v, dict)
            and all(isinstance(v.get(k), str)
                    for k in ("user_id", "device_type", "ip", "device_id"))
            and re.fullmatch(r"\d+(\.\d+){1,2}", str(v.get("app_version"))) is not None)
