import platform
import resource

import numpy as np
import pytest

from kalas.lib.malloc import tune_allocator

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")


@glibc
def test_reuses_large_buffers_instead_of_faulting_them_in_again():
    assert tune_allocator()
    np.ones(4_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    for _ in range(20):
        np.ones(4_000_000)

    # Without the settings each of these 32 MB buffers costs some 7,800 faults.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 7_800
