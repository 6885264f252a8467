"""test_credentials.py - where credentials, region and endpoint are looked for; all verified."""
import os

from events import logins


def forget(sluice, *names):
    for name in names:
        sluice.env.pop(name, None)


def write(sluice, name, text):
    path = os.path.join(sluice.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def credentials(profile, moto, secret=None):
    return (f"[{profile}]\naws_access_key_id = {moto.key_id}\n"
            f"aws_secret_access_key = {secret or moto.secret}\n")


def test_a_profile_of_the_shared_files_is_used(sluice, queue, moto):
    forget(sluice, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
    sluice.env["AWS_SHARED_CREDENTIALS_FILE"] = write(
        sluice, "creds", credentials("default", moto, "wrong") + credentials("team", moto))
    sluice.env["AWS_CONFIG_FILE"] = write(
        sluice, "conf", f"[default]\nregion = eu-west-1\n[profile team]\nregion = us-east-1\n"
                        f"endpoint_url = {moto.url}\n")
    sluice.env["AWS_PROFILE"] = "team"
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_the_default_profile_is_found_in_the_home_folder(sluice, queue, moto):
    forget(sluice, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    write(sluice, ".aws/credentials", "# mine\n" + credentials("default", moto))
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_the_environment_beats_the_profile(sluice, queue, moto):
    sluice.env["AWS_SHARED_CREDENTIALS_FILE"] = write(sluice, "creds",
                                                      credentials("default", moto, "wrong"))
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_the_configuration_beats_the_environment(sluice, queue, moto):
    sluice.env["AWS_REGION"] = "eu-west-1"
    sluice.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    sluice.sqs.update(region="us-east-1", endpoint=moto.url)
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_the_endpoint_of_the_service_beats_the_general_one(sluice, queue, moto):
    sluice.env["AWS_ENDPOINT_URL_SQS"] = moto.url
    sluice.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_without_an_endpoint_the_host_of_the_queue_url_is_asked(sluice, queue):
    forget(sluice, "AWS_ENDPOINT_URL")
    queue.send(logins(1))
    assert sluice.drain().loaded == 1


def test_the_older_name_of_the_region_is_understood(sluice, queue):
    sluice.env["AWS_DEFAULT_REGION"] = sluice.env.pop("AWS_REGION")
    queue.send(logins(1))
    assert sluice.drain().loaded == 1
