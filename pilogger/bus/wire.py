"""smbus2's bus, which is told by the kernel how much of a transfer took place, and listens.

I2C_RDWR returns the number of messages that were carried out (i2c_transfer() of the kernel). When
an adapter stops in their midst, smbus2 takes the zeros of the rest for an answer.
"""

from __future__ import annotations

import errno
from fcntl import ioctl

from smbus2 import SMBus, i2c_msg
from smbus2.smbus2 import I2C_RDWR, i2c_rdwr_ioctl_data


class WholeTransfers(SMBus):
    """A bus on which a transfer takes place as a whole, or is an error."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        assert self.fd is not None
        messages = i2c_rdwr_ioctl_data.create(*i2c_msgs)  # type: ignore[arg-type]  # a wrong stub
        done = ioctl(self.fd, I2C_RDWR, messages)
        if done != len(i2c_msgs):
            raise OSError(errno.EIO, f"{done} of {len(i2c_msgs)} messages")
