-- When the next notice of a payment is given out to be sent.
ALTER TABLE payments ADD COLUMN tell_at INTEGER;

CREATE INDEX payments_to_tell_of ON payments (tell_at) WHERE tell_at IS NOT NULL;
