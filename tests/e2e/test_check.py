"""test_check.py - `sluice check` looks at everything, says all of it, and changes nothing."""
import pytest

from events import LOGIN_TABLE, logins
from pg import free_port


def check(sluice):
    return sluice.call("check", "-c", sluice.write())


def said(result):
    return result.text + "\n".join(result.complaints)


def test_check_passes_when_all_is_well_with_one_line_each(sluice, queue, db):
    sluice.make_keys()
    queue.send(logins(2))
    result = check(sluice)
    assert result.rc == 0, result
    lines = said(result).splitlines()
    assert len(lines) >= 5, result
    for what in ("(?i)key", "(?i)queue", "(?i)table"):
        assert any(what[4:] in line.lower() for line in lines), result
    assert not db.has("user_logins") and not db.has("sluice.ledger"), "it creates nothing"
    assert queue.counts() == (2, 0, 0), "it receives nothing"


def test_check_lists_everything_that_is_wrong(sluice, queue, db):
    sluice.sqs["queue_url"] = queue.url + "-gone"
    sluice.settings["keys"]["file"] = "/nowhere/the.keys"
    sluice.postgres.update(table="not_there", create="never")
    result = check(sluice)
    assert result.rc == 1, result
    for word in (queue.name + "-gone", "/nowhere/the.keys", "not_there"):
        assert word in said(result), f"{word} is not complained of: {result!r}"


def test_check_lists_every_column_that_does_not_fit(sluice, db):
    sluice.make_keys()
    db.execute("CREATE TABLE user_logins(user_id integer, device_type varchar(8),"
               " masked_ip varchar(40), masked_device_id varchar(256), locale varchar(32),"
               " app_version integer)")
    result = check(sluice)
    assert result.rc == 1, result
    for column in ("user_id", "device_type", "masked_ip", "create_date"):
        assert column in said(result), f"{column} is not complained of: {result!r}"


def test_check_says_when_an_end_is_not_reachable(sluice, db):
    sluice.make_keys()
    port = free_port()
    sluice.postgres["url"] = db.tcp_url(port=port)
    result = check(sluice)
    assert result.rc == 1 and str(port) in said(result), result
    assert queue_line_is_fine(result), result


def queue_line_is_fine(result):
    """The other end is still looked at."""
    return any("queue" in line.lower() for line in said(result).splitlines())


def test_check_refuses_row_level_security(sluice, db):
    sluice.make_keys()
    db.execute(LOGIN_TABLE + ")")
    db.execute("ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    result = check(sluice)
    assert result.rc == 1 and "row" in said(result) and "security" in said(result), result


def test_check_warns_of_an_unlogged_table(sluice, db):
    sluice.make_keys()
    db.execute(LOGIN_TABLE.replace("CREATE TABLE", "CREATE UNLOGGED TABLE") + ")")
    result = check(sluice)
    assert result.rc == 0 and "unlogged" in said(result).lower(), result


def test_check_of_a_wrong_configuration_exits_as_run_does(bare):
    result = bare.call("check", "-c", bare.write("source: 5\n"))
    assert result.rc in (1, 78) and bare.path in said(result), result


@pytest.mark.parametrize("date", ["tomorrow, perhaps", "Fri, 01 Jan 2147483647 00:00:00 GMT"])
def test_check_does_not_take_what_is_no_date_for_a_clock_that_is_wrong(sluice, db, proxy, date):
    sluice.make_keys()
    sluice.through(proxy)

    def spoil(call, forward):
        reply = forward()
        reply.headers.append(("Date", date))
        return reply

    proxy.on("GetQueueAttributes", spoil)
    result = check(sluice)
    assert result.rc == 0, result
    assert "does not say what time it is" in said(result), result
