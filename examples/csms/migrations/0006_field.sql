-- 1: what the charge point told of the key cannot be read.
ALTER TABLE configuration_keys ADD COLUMN odd BIGINT NOT NULL DEFAULT 0;
-- Seconds of silence before a ping, and for the answer to it; NULL: the server's.
ALTER TABLE charge_points ADD COLUMN ping_interval BIGINT;
ALTER TABLE charge_points ADD COLUMN ping_timeout BIGINT;
-- CALLs that were refused for their payload: how many, and what was wrong with the latest one.
ALTER TABLE charge_points ADD COLUMN refused_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE charge_points ADD COLUMN refused_call TEXT;
ALTER TABLE charge_points ADD COLUMN refused_call_at BIGINT;
