"""Classifying in a browser: rejections, faults, many at once, and a cloud that dies."""

import csv
import io
import os
import signal
import zipfile
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from dashboard.aws.cloud import connect
from tests.builders import png
from tests.journeys.browser import App, barriers, fits, picture, running_app, settle
from tests.journeys.photos import bicycle, scone

pytestmark = pytest.mark.journey
Visit = Callable[..., Page]
BATCH = 200


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """A workflow with a threshold that hardly anything meets."""
    directory = tmp_path_factory.mktemp("strict")
    yield from running_app(directory, deployed=True, SCONES_THRESHOLD="0.999")


def hand_in(page: Page, *files: tuple[str, bytes]) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [
            FilePayload(name=name, mimeType="application/octet-stream", buffer=data)
            for name, data in files
        ]
    )
    page.get_by_role("button", name=f"Classify ({len(files)})").click()


def done(page: Page) -> None:
    expect(page.get_by_text("Result table")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    settle(page)


def test_a_rejection_is_a_rejection_and_a_bad_file_a_sentence(strict: App, visit: Visit) -> None:
    page = visit(strict, "classify")

    hand_in(page, ("scone.jpg", scone()), ("IMG_1.HEIC", b"\0\0\0\x18ftypheic0000"))
    done(page)

    expect(page.get_by_text("1 rejected")).to_be_visible()
    expect(page.get_by_text("This is a result, not a fault")).to_be_visible()
    expect(page.get_by_text("IMG_1.HEIC is a HEIC photo.")).to_be_visible()
    expect(page.get_by_text("Most Compatible on an iPhone")).to_be_visible()
    picture(page, "classify-rejected")
    address = page.url.removeprefix(f"{strict.url}/")
    for theme, phone in (("dark", False), ("light", True)):
        again = visit(strict, address, theme=theme, phone=phone)
        expect(again.get_by_text("1 rejected")).to_be_visible()
        assert fits(again)
        assert barriers(again) == []
        picture(again, f"classify-rejected-{theme}-{'phone' if phone else 'desk'}")


def test_a_zip_of_200_images_runs_under_a_progress_bar_to_a_table(
    strict: App, visit: Visit
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(BATCH):
            archive.writestr(f"photos/{number}.png", png(16 + number % 7, 16 + number // 7))
    page = visit(strict, "classify")

    hand_in(page, ("photos.zip", packed.getvalue()))
    expect(page.get_by_role("progressbar")).to_be_visible()
    done(page)

    expect(page.get_by_text(f"Result table ({BATCH})")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    rows = list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert len(rows) == BATCH
    assert {row["outcome"] for row in rows} == {"Rejected"}
    picture(page, "classify-many")


def test_the_whole_way_can_be_gone_by_keyboard(strict: App, visit: Visit) -> None:
    cloud = connect(strict.environ)
    bucket = cloud.settings.bucket
    cloud.client("s3").put_object(Bucket=bucket, Key="images/by keyboard.png", Body=png())
    page = visit(strict, "classify")

    page.get_by_role("tab", name="Upload").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_label("S3 keys or s3:// addresses, one a line").focus()
    page.keyboard.type("images/by keyboard.png")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Classify (1)")).to_be_enabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    done(page)

    expect(page.get_by_text("1 rejected")).to_be_visible()


def test_a_cloud_that_is_killed_is_started_again_with_everything_that_had_finished(
    strict: App, visit: Visit
) -> None:
    page = visit(strict, "classify")
    hand_in(page, ("scone.jpg", scone()))
    done(page)
    pid = connect(strict.environ).cloud.pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    page.reload()
    settle(page)

    again = connect(strict.environ).cloud.pid
    assert again != pid
    expect(page.get_by_text("1 rejected")).to_be_visible()


def test_an_endpoint_that_is_deleted_is_a_fault_with_its_remedy(strict: App, visit: Visit) -> None:
    cloud = connect(strict.environ)
    cloud.client("sagemaker").delete_endpoint(EndpointName=cloud.settings.endpoint)
    page = visit(strict, "classify")

    hand_in(page, ("bicycle.jpg", bicycle()))
    done(page)

    expect(page.get_by_text("1 fault")).to_be_visible()
    expect(page.get_by_text("in ClassifyImage")).to_be_visible()
    expect(page.get_by_text("Deploy again").first).to_be_visible()
    picture(page, "classify-fault")
