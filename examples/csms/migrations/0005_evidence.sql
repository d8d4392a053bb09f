-- What a transaction's registers have shown, where its energy comes from, and what was odd about it.
ALTER TABLE transactions ADD COLUMN energy BIGINT;
-- reported, fromRegisters or estimated.
ALTER TABLE transactions ADD COLUMN energy_origin TEXT;
-- Words, with commas in between.
ALTER TABLE transactions ADD COLUMN marks TEXT NOT NULL DEFAULT '';
-- JSON.
ALTER TABLE transactions ADD COLUMN registers TEXT;
-- 1: the charge point has named it by its number.
ALTER TABLE transactions ADD COLUMN named BIGINT NOT NULL DEFAULT 0;
-- 1: its stop named another number.
ALTER TABLE transactions ADD COLUMN attributed BIGINT NOT NULL DEFAULT 0;
-- The operator who closed it by hand.
ALTER TABLE transactions ADD COLUMN closed_by TEXT;
-- By how many milliseconds the charge point's clock was ahead.
ALTER TABLE transactions ADD COLUMN clock_lead BIGINT;
-- What runs is asked for by charge point at each message without a number.
CREATE INDEX transactions_running ON transactions (charge_point, connector) WHERE stopped_at IS NULL;

-- Of what was there before, only the two ends are known; and nothing of it is taken for another stop's.
UPDATE transactions SET named = 1,
    energy = CASE
        WHEN start_meter < 0 THEN NULL
        WHEN COALESCE(stop_meter, last_meter, start_meter) < start_meter THEN 0
        ELSE COALESCE(stop_meter, last_meter, start_meter) - start_meter END,
    energy_origin = CASE
        WHEN start_meter < 0 THEN NULL
        WHEN estimated = 1 THEN 'estimated'
        WHEN stopped_at IS NULL OR stop_meter < start_meter THEN 'fromRegisters'
        ELSE 'reported' END,
    marks = CASE
        WHEN start_meter < 0 THEN 'startMeterIgnored'
        WHEN stop_meter < 0 THEN 'stopMeterIgnored'
        WHEN stop_meter < start_meter THEN 'registerFell'
        ELSE '' END;

-- The transaction whose stop it is taken for.
ALTER TABLE unknown_stops ADD COLUMN attributed_to BIGINT;

-- Terminated: by a fault, or because the connector or the charge point became unavailable; which of them.
ALTER TABLE reservations ADD COLUMN end_reason TEXT;
