-- What is to be given back is unsettled until it was, also where the provider had declined to set aside what was asked.
DROP TRIGGER payments_begin;

CREATE TRIGGER payments_begin AFTER INSERT ON payment_acts
WHEN NEW.step IN ('asked', 'voidDue', 'refundDue')
    AND NOT EXISTS (
        SELECT 1 FROM unsettled_payments
        WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund)
    AND NOT EXISTS (
        SELECT 1 FROM payment_acts
        WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund
            AND (step IN ('captured', 'voided', 'refunded', 'resolved')
                OR (step = 'declined' AND NEW.step <> 'voidDue')))
BEGIN
    INSERT INTO unsettled_payments (booking_id, transaction_id, refund, at, number)
    VALUES (NEW.booking_id, NEW.transaction_id, NEW.refund, NEW.at, NEW.number);
END;

DROP TRIGGER payments_end;

CREATE TRIGGER payments_end AFTER INSERT ON payment_acts
WHEN NEW.step IN ('captured', 'voided', 'refunded', 'resolved')
    OR (NEW.step = 'declined' AND NOT EXISTS (
        SELECT 1 FROM payment_acts
        WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund
            AND step = 'voidDue'))
BEGIN
    DELETE FROM unsettled_payments
    WHERE booking_id = NEW.booking_id AND transaction_id = NEW.transaction_id AND refund = NEW.refund;
END;
