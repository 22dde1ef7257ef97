"""oslo.messaging's fake transport without its 50 ms naps."""

import threading
import time


def wake_at_once():
    """Let a delivered message wake those who wait for one, where the fake driver polls."""
    from oslo_messaging._drivers import impl_fake

    delivered = threading.Condition()
    deliver_message = impl_fake.FakeExchange.deliver_message

    def deliver_and_wake(self, *arguments, **keywords):
        result = deliver_message(self, *arguments, **keywords)
        with delivered:
            delivered.notify_all()
        return result

    class Clock:
        """All that the fake driver uses of the time module."""

        time = staticmethod(time.time)

        @staticmethod
        def sleep(seconds):
            with delivered:
                delivered.wait(seconds)

    impl_fake.FakeExchange.deliver_message = deliver_and_wake
    impl_fake.time = Clock
