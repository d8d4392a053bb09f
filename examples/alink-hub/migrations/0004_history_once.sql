-- Of what was told, if the device itself said when it was so: what it says again then is there once. NULL differs from NULL.
ALTER TABLE history ADD COLUMN digest BIGINT;
DROP INDEX history_of_device;
CREATE UNIQUE INDEX history_of_device ON history (device_id, kind, time, digest);
