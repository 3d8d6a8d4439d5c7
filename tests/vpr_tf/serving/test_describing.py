"""Photos of many requests are described together, each by its own descriptor."""

import asyncio
import threading

import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.errors import DescriptorError, ImageSizeError
from vpr_tf.serving import ServiceSettings, describing
from vpr_tf.serving.describing import Describer, UndescribedPhotoError
from vpr_tf.serving.problems import ProblemError


class Extractor:
    """Describes an image by its mean colour; notes the batches."""

    description, descriptor_dim = "mean colour", 3
    preprocessing = Preprocessing("shorter_side", 8)

    def __init__(self):
        self.batches, self.go_on = [], threading.Event()
        self.go_on.set()

    def forward(self):
        return self.mean

    def mean(self, images):
        self.go_on.wait(10)
        self.batches.append(images.shape[:3])
        if images.shape[1] == 13:
            raise ImageSizeError.of(images, "It is unlucky.")
        if images.shape[1] == 19:
            self.go_on.clear()
            self.go_on.wait(10)
        if images.shape[1] == 17:
            raise OSError("no answer")
        return images.mean(axis=(1, 2))


def grey(level, height=8, width=8):
    return np.full((height, width, 3), level, np.float32)


def describe(extractor, work, tmp_path, **settings):
    settings = {"batch_size": 4, "batch_wait_ms": 20.0} | settings

    async def main():
        describer = Describer(extractor, ServiceSettings({"c": tmp_path}, **settings))
        await describer.warm_up()
        extractor.batches.clear()
        try:
            return await asyncio.wait_for(work(describer), 20)
        finally:
            extractor.go_on.set()
            describer.close()

    return asyncio.run(main())


def test_images_of_one_shape_are_described_together(tmp_path):
    extractor = Extractor()
    images = [grey(level / 10, width=8 + level % 2) for level in range(10)]

    async def work(describer):
        return await asyncio.gather(*map(describer.describe, images))

    found = describe(extractor, work, tmp_path)
    np.testing.assert_allclose([one[0] for one in found], np.arange(10) / 10, atol=1e-6)
    assert sorted(extractor.batches) == [(1, 8, 8), (1, 8, 9), (4, 8, 8), (4, 8, 9)]


def test_one_image_waits_no_longer_than_it_is_set(tmp_path):
    async def work(describer):
        begin = asyncio.get_running_loop().time()
        await describer.describe(grey(0.5))
        return asyncio.get_running_loop().time() - begin

    assert describe(Extractor(), work, tmp_path, batch_wait_ms=1.0) < 1


def test_image_that_nobody_waits_for_is_not_described(tmp_path):
    extractor = Extractor()

    async def work(describer):
        extractor.go_on.clear()
        first = asyncio.create_task(describer.describe(grey(0.1)))
        await asyncio.sleep(0.1)  # is being described
        others = [asyncio.create_task(describer.describe(grey(0.2))) for _ in range(3)]
        await asyncio.sleep(0)
        others[0].cancel()
        others[2].cancel()
        await asyncio.sleep(0)
        extractor.go_on.set()
        return await asyncio.gather(first, others[1])

    describe(extractor, work, tmp_path)
    assert extractor.batches == [(1, 8, 8), (1, 8, 8)]


@pytest.mark.parametrize(
    ("image", "error", "reason"),
    [
        (grey(0.5, height=13), UndescribedPhotoError, "unlucky"),
        (grey(0.5, height=17), ProblemError, "does not describe photos now"),
        (grey(np.nan), UndescribedPhotoError, "no finite descriptor"),
    ],
)
def test_failure_is_that_of_its_images_alone(image, error, reason, tmp_path, caplog):
    async def work(describer):
        return await asyncio.gather(
            *(describer.describe(one) for one in (image, grey(0.5), image)),
            return_exceptions=True,
        )

    first, good, last = describe(Extractor(), work, tmp_path)
    assert good.tolist() == [0.5, 0.5, 0.5]
    for failed in (first, last):
        assert isinstance(failed, error)
        assert reason in str(failed)


def test_encoder_of_other_descriptors_is_refused_at_start(tmp_path):
    extractor = Extractor()
    extractor.descriptor_dim = 4
    with pytest.raises(DescriptorError, match=r"shape \(1, 4\)"):
        describe(extractor, None, tmp_path)


def test_closed_describer_refuses_and_what_waits_is_described(tmp_path):
    async def work(describer):
        waits = asyncio.create_task(describer.describe(grey(0.5)))
        await asyncio.sleep(0)
        describer.close()
        with pytest.raises(ProblemError) as refused:
            await describer.describe(grey(0.5))
        return refused.value.status, await waits

    status, found = describe(Extractor(), work, tmp_path)
    assert status == 503
    np.testing.assert_allclose(found, 0.5)


@pytest.mark.parametrize("broken", ["stack", "observe"])
def test_fault_is_that_of_its_batch_alone(broken, tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError("a.jpg")

    async def work(describer):
        with monkeypatch.context() as patch:
            if broken == "stack":
                patch.setattr(describing.np, "stack", fail)
            else:
                patch.setattr(describing.metrics, "observe_batch", fail)
            first = await asyncio.gather(
                describer.describe(grey(0.5)), return_exceptions=True
            )
        return first[0], await describer.describe(grey(0.25))

    first, second = describe(Extractor(), work, tmp_path)
    if broken == "stack":
        assert isinstance(first, ProblemError)
    else:
        np.testing.assert_allclose(first, 0.5)
    np.testing.assert_allclose(second, 0.25)


def test_batch_after_one_that_failed_waits_for_the_probe(tmp_path):
    extractor = Extractor()

    async def work(describer):
        with pytest.raises(ProblemError, match="does not describe photos now"):
            await describer.describe(grey(0.5, height=17))
        extractor.go_on.clear()  # the probe takes a while
        following = asyncio.create_task(describer.describe(grey(0.25)))
        await asyncio.sleep(0.1)
        extractor.go_on.set()
        return await following

    np.testing.assert_allclose(describe(extractor, work, tmp_path), 0.25)


def test_encoder_that_hangs_refuses_until_it_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(describing, "_PROBE_EVERY_S", 0.02)
    extractor = Extractor()

    async def work(describer):
        for height in (19, 8):  # that which hangs, and another meanwhile
            with pytest.raises(ProblemError, match="does not describe photos now"):
                await describer.describe(grey(0.5, height=height))
            assert describer.is_failing
        assert extractor.batches == [(1, 19, 8)]
        extractor.go_on.set()
        while describer.is_failing:
            await asyncio.sleep(0.01)
        return await describer.describe(grey(0.25))

    found = describe(extractor, work, tmp_path, max_describe_s=1.0)
    np.testing.assert_allclose(found, 0.25)
