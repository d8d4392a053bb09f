-- How updates are fetched: http or mqtt (blocks).
ALTER TABLE updates ADD COLUMN protocol TEXT NOT NULL DEFAULT 'http';

-- Whether devices are to upload their log.
ALTER TABLE devices ADD COLUMN uploads_log BIGINT NOT NULL DEFAULT 1;

-- Files that devices upload, complete or not; a device has one of a name.
CREATE TABLE uploads (
    -- Random: names the upload for the device, and the file in the folder uploads of the data folder.
    id TEXT NOT NULL PRIMARY KEY,
    device_id BIGINT NOT NULL,
    file_name TEXT NOT NULL,
    -- -1: it is not known before the last block.
    size BIGINT NOT NULL,
    received BIGINT NOT NULL,
    is_complete BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (device_id, file_name)
);
CREATE INDEX uploads_by_age ON uploads (changed_at);
