"""What the tests' SMTP server does with a letter: it keeps it in a Maildir, or refuses it for the asking."""

from aiosmtpd.handlers import Mailbox


class Sink(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.split("@")[0]
        if name.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        if name.startswith("busy"):
            return "451 4.3.2 come again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"
