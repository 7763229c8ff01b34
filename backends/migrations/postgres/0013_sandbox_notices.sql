-- When the next notice of a payment of the sandbox is given out to be sent.
ALTER TABLE payments_sandbox ADD COLUMN tell_at BIGINT;

CREATE INDEX payments_sandbox_to_tell_of ON payments_sandbox (tell_at) WHERE tell_at IS NOT NULL;
