"""What the client makes of answers that are no good: each becomes one of our errors, and nothing is tried twice."""

import dataclasses
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from platforma.clouds.openstack import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudNotFound,
    CloudPool,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
    OpenStackSettings,
    ProjectCredential,
)
from platforma.clouds.openstack.translation import clean_reason
from tests.clouds.stub import Answer, StubCloud

SERVER = str(uuid4())

HASTE_SECONDS = 2.0
"""How long slow answers are waited for; long enough for a busy machine to send the rest."""


def neutron(message: str, kind: str = "Anything") -> dict[str, object]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def nova(message: str, word: str = "badRequest") -> dict[str, object]:
    return {word: {"code": 400, "message": message}}


CASES: list[tuple[Answer, type[CloudError]]] = [
    (Answer(400, nova("Invalid input for field name.")), CloudRefused),
    (Answer(403, nova("Policy doesn't allow os_compute_api:servers:show to be performed.")), CloudRefused),
    (Answer(403, nova("Policy doesn't allow os_compute_api:os-quota-sets:update to be performed.")), CloudRefused),
    (Answer(405, nova("No.")), CloudRefused),
    (Answer(422, nova("Unprocessable.")), CloudRefused),
    (Answer(404, nova("Instance could not be found.", "itemNotFound")), CloudNotFound),
    (Answer(404, b"<html>no such page</html>", {"Content-Type": "text/html"}), CloudNotFound),
    (
        Answer(409, neutron("Unable to complete operation on network. Ports still in use.", "NetworkInUse")),
        CloudConflict,
    ),
    (
        Answer(409, nova("Cannot 'reboot' instance while it is in vm_state building", "conflictingRequest")),
        CloudConflict,
    ),
    (Answer(409, neutron("Gateway ip conflicts with pool", "GatewayConflictWithAllocationPools")), CloudRefused),
    (Answer(400, nova("Invalid volume: Volume status must be available or error and not attached.")), CloudConflict),
    (Answer(400, nova("Invalid volume: volume v status must be available. Currently in 'creating'")), CloudConflict),
    (Answer(400, nova("Invalid volume: size must be a number")), CloudRefused),
    (Answer(409, neutron("Quota exceeded for resources: ['network'].", "OverQuota")), CloudQuotaExceeded),
    (
        Answer(403, nova("Quota exceeded for instances: Requested 1, but already used 2 of 2", "forbidden")),
        CloudQuotaExceeded,
    ),
    (Answer(403, nova("Maximum number of ports exceeded", "forbidden")), CloudQuotaExceeded),
    (
        Answer(
            413,
            nova("VolumeLimitExceeded: Maximum number of volumes allowed (3) exceeded for quota 'volumes'."),
            {"Retry-After": "0"},
        ),
        CloudQuotaExceeded,
    ),
    (Answer(413, nova("This request was rate-limited.", "overLimit"), {"Retry-After": "7"}), CloudThrottled),
    (Answer(429, nova("Slow down."), {"Retry-After": "7"}), CloudThrottled),
    (Answer(429), CloudThrottled),
    (Answer(500, nova("Unexpected API Error.", "computeFault")), CloudUnavailable),
    (Answer(502, b"Bad gateway", {"Content-Type": "text/plain"}), CloudUnavailable),
    (Answer(503, None, {"Retry-After": "7"}), CloudUnavailable),
    (Answer(504), CloudUnavailable),
    (Answer(200, b"<html>a captive portal</html>", {"Content-Type": "text/html"}), CloudAnswerInvalid),
    (Answer(200, b""), CloudAnswerInvalid),
    (Answer(200, []), CloudAnswerInvalid),
    (Answer(200, {"server": []}), CloudAnswerInvalid),
    (Answer(200, {"server": {}}), CloudAnswerInvalid),
    (Answer(200, {"something": "else"}), CloudAnswerInvalid),
    (Answer(302, None, {"Location": "http://127.0.0.2:9/"}), CloudUnavailable),
    (Answer(is_cut=True), CloudUnavailable),
    (Answer(delay_seconds=30), CloudUnavailable),
    (Answer(200, {"server": {"id": SERVER}}, {"Content-Length": "1000"}), CloudUnavailable),
    (Answer(200, {"server": {"id": SERVER}}, {"Content-Encoding": "gzip"}), CloudUnavailable),
    (Answer(200, {"server": {"id": SERVER}}, drip_seconds=30), CloudUnavailable),
    (Answer(200, {"server": {"id": SERVER}}, drip_seconds=0.2), CloudUnavailable),
]

TRANSIENT = {CloudUnavailable, CloudThrottled, CloudConflict, CloudAnswerInvalid}


@pytest.mark.parametrize(
    ("answer", "expected"),
    CASES,
    ids=[f"{number}-{case[0].status}-{case[1].__name__}" for number, case in enumerate(CASES)],
)
def test_each_bad_answer_has_its_word(
    stub: StubCloud,
    pool: CloudPool,
    settings: OpenStackSettings,
    credential: ProjectCredential,
    answer: Answer,
    expected: type[CloudError],
) -> None:
    if answer.is_slow:
        settings = dataclasses.replace(settings, timeout_seconds=HASTE_SECONDS)
    stub.script = lambda _: answer
    project = pool.open_project(settings, credential)
    began = time.monotonic()
    with pytest.raises(CloudError) as caught:
        project.get_server(SERVER)
    assert type(caught.value) is expected
    assert caught.value.is_transient == (expected in TRANSIENT)
    assert len(stub.requests) == 1, "a request was repeated, which is for the caller to decide"
    assert time.monotonic() - began < 10
    if "Retry-After" in answer.headers and expected is not CloudQuotaExceeded:
        assert caught.value.retry_after == 7


def test_the_time_to_retry_may_be_a_date(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    stub.script = lambda _: Answer(429, None, {"Retry-After": format_datetime(moment, usegmt=True)})
    with pytest.raises(CloudThrottled) as caught:
        pool.open_project(settings, credential).get_server(SERVER)
    assert caught.value.retry_after == pytest.approx(100, abs=5)


@pytest.mark.parametrize("header", ["soon", "", "-5", "Sun, 99 Foo"])
def test_a_senseless_time_to_retry_is_none(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential, header: str
) -> None:
    stub.script = lambda _: Answer(429, None, {"Retry-After": header})
    with pytest.raises(CloudThrottled) as caught:
        pool.open_project(settings, credential).get_server(SERVER)
    assert caught.value.retry_after in {None, 0}


def test_an_error_tells_a_person_the_reason_and_nothing_else(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    message = (
        f"Image i is <b>too</b> small, see {stub.url}/compute (HTTP 400) (Request-ID: req-{uuid4()}) "
        "asked with gAAAAABtoken_of_some-body= of 10.0.0.7:8774"
    )
    stub.script = lambda _: Answer(400, nova(message))
    with pytest.raises(CloudRefused) as caught:
        pool.open_project(settings, credential).get_server(SERVER)
    assert str(caught.value) == "The cloud refuses what was asked for. It says: Image i is too small, see asked with of"


def test_an_internal_error_tells_no_reason(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    stub.script = lambda _: Answer(500, nova("<class 'sqlalchemy.exc.OperationalError'>", "computeFault"))
    with pytest.raises(CloudUnavailable) as caught:
        pool.open_project(settings, credential).get_server(SERVER)
    assert str(caught.value) == CloudUnavailable.sentence


def test_nobody_there(pool: CloudPool, credential: ProjectCredential) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "nowhere.invalid"):
        settings = OpenStackSettings(auth_url=f"http://{host}/v3", region="RegionOne", timeout_seconds=0.5)
        with pytest.raises(CloudUnavailable):
            pool.open_project(settings, credential)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            Answer(401, {"error": {"code": 401, "message": "The request requires authentication."}}),
            CloudCredentialInvalid,
        ),
        (
            Answer(404, {"error": {"code": 404, "message": "Could not find Application Credential"}}),
            CloudCredentialInvalid,
        ),
        (Answer(404, b"nothing", {"Content-Type": "text/plain"}), CloudAnswerInvalid),
        (Answer(403, {"error": {"code": 403, "message": "Forbidden"}}), CloudCredentialInvalid),
        (Answer(429, None, {"Retry-After": "7"}), CloudThrottled),
        (Answer(503), CloudUnavailable),
        (Answer(201, {"token": {}}, {"X-Subject-Token": "t"}), CloudError),
        (Answer(201, b"nonsense", {"X-Subject-Token": "t"}), CloudAnswerInvalid),
        (Answer(delay_seconds=30), CloudUnavailable),
        (Answer(is_cut=True), CloudUnavailable),
    ],
)
def test_signing_in_fails(
    stub: StubCloud,
    pool: CloudPool,
    settings: OpenStackSettings,
    credential: ProjectCredential,
    answer: Answer,
    expected: type[CloudError],
) -> None:
    if answer.is_slow:
        settings = dataclasses.replace(settings, timeout_seconds=HASTE_SECONDS)
    stub.sign_in = answer
    with pytest.raises(expected):
        pool.open_project(settings, credential)
    assert stub.sign_ins == 1
    assert len(pool) == 0


def test_a_token_goes_to_no_other_server(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    with StubCloud() as elsewhere:
        stub.script = lambda _: Answer(302, None, {"Location": f"{elsewhere.url}/compute/v2.1/servers/{SERVER}"})
        with pytest.raises(CloudUnavailable):
            pool.open_project(settings, credential).get_server(SERVER)
        assert elsewhere.requests == []


def test_reasons_name_no_ids_of_the_cloud() -> None:
    said = "Port 0f0c8e3e-9f6b-4f3e-8f0a-3f1c2b7a9d10 of project 5b1f0c9d8e7a46b3a2c1d0e9f8a7b6c5 is in use by web-1."
    assert clean_reason(said) == "Port of project is in use by web-1."
