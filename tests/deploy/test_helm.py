"""test_helm.py - deploy/helm, rendered, and held against the schemas of Kubernetes and KEDA."""
import re
import subprocess

import kubernetes_validate
import pytest
import yaml

from conftest import ROOT, TOOLS
from types_of import Interfaces, faults

CHART = ROOT / "deploy" / "helm"
KEDA = TOOLS / "node_modules" / "@kubernetes-models" / "keda" / "keda.sh" / "v1alpha1"
OLDEST, NEWEST = "1.29", "1.37"
QUEUE = ["queue.url=https://sqs.eu-west-1.amazonaws.com/123456789012/logins", "queue.region=eu-west-1"]

VARIANTS = {
    "follow": [],
    "keda": ["keda.enabled=true"],
    "hpa": ["hpa.enabled=true"],
    "drain": ["mode=drain"],
    "kms": ["keys.secret=", "environment.secret=", "files.wrapped\\.keys=k1", "config.keys.file=null",
            "config.keys.kms.file=/etc/sluice/wrapped.keys", "podAnnotations.a=b",
            "serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::1:role/sluice"],
}


def helm(*arguments):
    return subprocess.run([TOOLS / "bin" / "helm", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def template(*sets):
    flags = [word for one in sets for word in ("--set", one)]
    return helm("template", "logins", CHART, "--namespace", "events", "--kube-version", OLDEST, *flags)


def render(*sets):
    """The manifests, by kind."""
    done = template(*QUEUE, *sets)
    assert done.returncode == 0, done.stderr
    docs = [doc for doc in yaml.safe_load_all(done.stdout) if doc]
    assert len({doc["kind"] for doc in docs}) == len(docs)
    return {doc["kind"]: doc for doc in docs}


@pytest.fixture(params=VARIANTS)
def manifests(request):
    return render(*VARIANTS[request.param])


def pod_of(manifests):
    if "CronJob" in manifests:
        return manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return manifests["Deployment"]["spec"]["template"]["spec"]


def test_helm_finds_no_fault_with_the_chart():
    done = helm("lint", "--strict", CHART, "--kube-version", OLDEST, "--set", QUEUE[0])
    assert done.returncode == 0 and "0 chart(s) failed" in done.stdout, done


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_what_is_rendered(manifests, version):
    for doc in manifests.values():
        if not doc["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(doc, version, strict=True)


def objects(value):
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def test_keda_takes_what_is_rendered():
    text = "\n".join(path.read_text(encoding="utf-8") for path in KEDA.glob("*.d.ts"))
    types = Interfaces(re.sub("IComGithubKedacoreKedaV2ApisKedaV1alpha1", "I", text))
    manifests = render("keda.enabled=true")
    for kind in ("ScaledObject", "TriggerAuthentication"):
        given = {"spec": manifests[kind]["spec"]}
        assert faults(given, {"spec": types["I" + kind]["spec"]}, types, kind, objects) == []


def test_what_scales_is_the_deployment_and_one_thing_alone_says_how_many():
    follow, keda, hpa = render(), render("keda.enabled=true"), render("hpa.enabled=true")
    assert follow["Deployment"]["spec"]["replicas"] == 1
    for scaled, kind in ((keda, "ScaledObject"), (hpa, "HorizontalPodAutoscaler")):
        assert "replicas" not in scaled["Deployment"]["spec"]
        assert scaled[kind]["spec"]["scaleTargetRef"]["name"] == scaled["Deployment"]["metadata"]["name"]
    kinds = [t["type"] for t in keda["ScaledObject"]["spec"]["triggers"]]
    assert kinds == ["aws-sqs-queue", "aws-cloudwatch"]
    assert keda["ScaledObject"]["spec"]["triggers"][1]["metadata"]["dimensionValue"] == "logins"
    assert keda["ScaledObject"]["spec"]["triggers"][0]["metadata"]["queueLength"] == "1000000"


def test_a_drain_ends_and_is_tried_again_only_where_that_helps():
    manifests = render("mode=drain")
    assert set(manifests) == {"CronJob", "ConfigMap", "ServiceAccount", "NetworkPolicy"}
    job = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]
    container = pod_of(manifests)["containers"][0]
    assert container["args"][-1] == "--until-empty" and "livenessProbe" not in container
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [64, 78]


def test_a_pod_has_no_rights_and_writes_nowhere(manifests):
    pod = pod_of(manifests)
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert not any("emptyDir" in volume for volume in pod["volumes"])


def test_the_probes_ask_where_the_configuration_listens():
    manifests = render()
    container = pod_of(manifests)["containers"][0]
    config = yaml.safe_load(manifests["ConfigMap"]["data"]["sluice.yaml"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert config["http"]["listen"] == f"0.0.0.0:{ports['http']}" == "0.0.0.0:9464"
    given = render("config.http.token_file=/run/sluice/token", "config.http.listen=127.0.0.1:1")["ConfigMap"]["data"]
    assert yaml.safe_load(given["sluice.yaml"])["http"] == {
        "listen": config["http"]["listen"], "token_file": "/run/sluice/token"}
    paths = {probe: container[probe]["httpGet"] for probe in container if probe.endswith("Probe")}
    assert paths == {"livenessProbe": {"path": "/healthz", "port": "http"},
                     "readinessProbe": {"path": "/readyz", "port": "http"}}


def test_every_volume_and_secret_is_there(manifests):
    pod = pod_of(manifests)
    assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert pod["volumes"][0]["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
    assert pod["serviceAccountName"] == manifests["ServiceAccount"]["metadata"]["name"]


def test_sluice_takes_the_configuration(manifests, binary, tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text(manifests["ConfigMap"]["data"]["sluice.yaml"], encoding="utf-8")
    env = {e["name"]: e["value"] for e in pod_of(manifests)["containers"][0]["env"]}
    done = subprocess.run([binary, "sql", "schema", "-c", path], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env={**env, "DATABASE_URL": "postgresql://db/events"},
                          check=False)
    assert done.returncode == 0 and "user_logins" in done.stdout, done


@pytest.mark.parametrize("sets, says", [
    (["mode=drian", *QUEUE], "mode"), ([], "url"), (["replica=3", *QUEUE], "replica"),
    (["keda.enabled=true", "hpa.enabled=true", *QUEUE], "enable one of them"),
    (["mode=drain", "hpa.enabled=true", *QUEUE], "mode: follow"),
    (["keda.enabled=true", QUEUE[0]], "keda needs queue.region")])
def test_what_cannot_be_is_refused(sets, says):
    done = template(*sets)
    assert done.returncode != 0 and says in done.stderr, done
