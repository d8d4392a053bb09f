-- One schema for SQLite and PostgreSQL: BIGINT and TEXT only. Times are milliseconds since 1970 (UTC), flags are 0 or 1,
-- JSON is text. What is called sealed is encrypted with the key file of the data folder.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE products (
    product_key TEXT NOT NULL PRIMARY KEY,
    -- Sealed: signs dynamic registrations.
    product_secret TEXT NOT NULL,
    -- off, known (devices that were entered) or any.
    dynamic_registration TEXT NOT NULL DEFAULT 'off',
    created_at BIGINT NOT NULL
);

CREATE TABLE devices (
    id BIGINT NOT NULL PRIMARY KEY,
    product_key TEXT NOT NULL,
    device_name TEXT NOT NULL,
    -- Sealed.
    device_secret TEXT NOT NULL,
    -- Of a device that registered itself without having been entered: what it logs in with instead; the token is sealed.
    client_id TEXT,
    device_token TEXT,
    disabled BIGINT NOT NULL DEFAULT 0,
    -- Whether it has ever logged in, after which it cannot register again.
    activated_at BIGINT,
    online_at BIGINT,
    offline_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (product_key, device_name)
);

CREATE TABLE properties (
    device_id BIGINT NOT NULL,
    identifier TEXT NOT NULL,
    value TEXT NOT NULL,
    -- As the device says, else when it came.
    time BIGINT NOT NULL,
    PRIMARY KEY (device_id, identifier)
);

CREATE TABLE history (
    device_id BIGINT NOT NULL,
    -- property, event, service or message.
    kind TEXT NOT NULL,
    identifier TEXT NOT NULL,
    -- A property's value, what an event told, a service's input.
    data TEXT NOT NULL,
    -- Of services: the answer's code, and its output or message.
    code BIGINT,
    output TEXT,
    time BIGINT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX history_of_device ON history (device_id, kind, time);
CREATE INDEX history_by_age ON history (received_at);

CREATE TABLE desired (
    device_id BIGINT NOT NULL,
    identifier TEXT NOT NULL,
    -- NULL: deleted; the version goes on.
    value TEXT,
    version BIGINT NOT NULL,
    PRIMARY KEY (device_id, identifier)
);

CREATE TABLE shadows (
    device_id BIGINT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);

CREATE TABLE tags (
    device_id BIGINT NOT NULL,
    attr_key TEXT NOT NULL,
    attr_value TEXT NOT NULL,
    PRIMARY KEY (device_id, attr_key)
);

CREATE TABLE configs (
    product_key TEXT NOT NULL PRIMARY KEY,
    config_id TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE firmware (
    -- Random: part of the URL that devices get.
    id TEXT NOT NULL PRIMARY KEY,
    product_key TEXT NOT NULL,
    module TEXT NOT NULL,
    version TEXT NOT NULL,
    file_name TEXT NOT NULL,
    size BIGINT NOT NULL,
    md5 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE modules (
    device_id BIGINT NOT NULL,
    module TEXT NOT NULL,
    version TEXT NOT NULL,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (device_id, module)
);

CREATE TABLE updates (
    id BIGINT NOT NULL PRIMARY KEY,
    device_id BIGINT NOT NULL,
    firmware_id TEXT NOT NULL,
    module TEXT NOT NULL,
    -- waiting, pushed, running, done, failed or cancelled.
    state TEXT NOT NULL,
    -- 1 to 100, or what failed: -1 to -4.
    step BIGINT,
    description TEXT,
    created_at BIGINT NOT NULL,
    pushed_at BIGINT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX updates_of_device ON updates (device_id, module, id);

CREATE TABLE log (
    -- device (it said so) or hub.
    source TEXT NOT NULL,
    product_key TEXT NOT NULL,
    device_name TEXT NOT NULL,
    level TEXT NOT NULL,
    -- Of device entries: module, code, traceContext and utcTime as JSON.
    details TEXT,
    content TEXT NOT NULL,
    logged_at BIGINT NOT NULL
);
CREATE INDEX log_by_age ON log (logged_at);
CREATE INDEX log_of_device ON log (product_key, device_name, logged_at);

CREATE TABLE api_tokens (
    name TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    -- viewer or operator.
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
