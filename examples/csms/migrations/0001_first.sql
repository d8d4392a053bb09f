-- One schema for SQLite and PostgreSQL: BIGINT and TEXT only. Times are milliseconds since 1970 (UTC), flags are 0 or 1,
-- JSON is text. Identifiers that are compared without case have a folded column beside the spelled one.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE charge_points (
    id TEXT NOT NULL PRIMARY KEY,
    -- accept, pending or reject; NULL: the server's default.
    boot_policy TEXT,
    -- Whether a BootNotification was ever accepted; neither a reconnect nor a restart of the server resets it.
    accepted BIGINT NOT NULL DEFAULT 0,
    -- What the last BootNotification was answered with: Accepted, Pending or Rejected.
    boot_status TEXT,
    -- Whether an operator has entered it, or it came by itself.
    registered BIGINT NOT NULL DEFAULT 0,
    note TEXT,
    protocol TEXT,
    vendor TEXT,
    model TEXT,
    serial_number TEXT,
    charge_box_serial_number TEXT,
    firmware_version TEXT,
    iccid TEXT,
    imsi TEXT,
    meter_type TEXT,
    meter_serial_number TEXT,
    -- JSON object: what the BootNotification had beyond the schema.
    extras TEXT,
    booted_at BIGINT,
    last_seen_at BIGINT,
    firmware_status TEXT,
    firmware_status_at BIGINT,
    diagnostics_status TEXT,
    diagnostics_status_at BIGINT,
    log_status TEXT,
    log_status_at BIGINT,
    -- The version of the local list that was last sent or reported; NULL: unknown, -1: not supported.
    list_version BIGINT,
    -- The lowest security profile it may connect with.
    security_profile BIGINT NOT NULL DEFAULT 0,
    -- Keyed HMAC of its Basic password, hexadecimal; and of the next one while it is uncertain which of them holds.
    key_hash TEXT,
    next_key_hash TEXT,
    -- 1: the charge point takes the next key when it restarts, and may use the old one until then.
    next_key_after_reboot BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);

CREATE TABLE connectors (
    charge_point TEXT NOT NULL,
    connector BIGINT NOT NULL,
    status TEXT NOT NULL,
    error_code TEXT NOT NULL,
    info TEXT,
    vendor_id TEXT,
    vendor_error_code TEXT,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (charge_point, connector)
);

CREATE TABLE configuration_keys (
    charge_point TEXT NOT NULL,
    folded TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    readonly BIGINT NOT NULL,
    known_at BIGINT NOT NULL,
    PRIMARY KEY (charge_point, folded)
);

CREATE TABLE id_tags (
    folded TEXT NOT NULL PRIMARY KEY,
    id_tag TEXT NOT NULL,
    -- Accepted, Blocked, Expired or Invalid.
    status TEXT NOT NULL,
    expiry_at BIGINT,
    parent_id_tag TEXT,
    -- A name to sort tags by; the parent decides what OCPP makes of it.
    tag_group TEXT,
    note TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE transactions (
    id BIGINT NOT NULL PRIMARY KEY,
    charge_point TEXT NOT NULL,
    connector BIGINT NOT NULL,
    id_tag TEXT NOT NULL,
    folded_id_tag TEXT NOT NULL,
    reservation BIGINT,
    -- What the start was answered with.
    id_tag_status TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    start_meter BIGINT NOT NULL,
    start_received_at BIGINT NOT NULL,
    -- The latest energy register, in Wh, and its time.
    last_meter BIGINT,
    last_meter_at BIGINT,
    -- NULL while it runs.
    stopped_at BIGINT,
    stop_meter BIGINT,
    -- As it was sent, also beyond the values of OCPP 1.6.
    stop_reason TEXT,
    stop_id_tag TEXT,
    stop_received_at BIGINT,
    -- 1: closed by the server, because the stop was lost; the stop's numbers are estimates.
    estimated BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX transactions_by_charge_point ON transactions (charge_point, connector, started_at);
CREATE INDEX transactions_by_start ON transactions (started_at);
CREATE INDEX transactions_by_id_tag ON transactions (folded_id_tag, stopped_at);

-- Stops of transactions that are not known here: answered, and kept for somebody to look at.
CREATE TABLE unknown_stops (
    charge_point TEXT NOT NULL,
    transaction_id BIGINT NOT NULL,
    id_tag TEXT NOT NULL,
    stopped_at BIGINT NOT NULL,
    stop_meter BIGINT NOT NULL,
    stop_reason TEXT,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (charge_point, transaction_id, id_tag, stopped_at, stop_meter)
);

CREATE TABLE meter_values (
    charge_point TEXT NOT NULL,
    connector BIGINT NOT NULL,
    transaction_id BIGINT,
    measured_at BIGINT NOT NULL,
    context TEXT,
    measurand TEXT,
    phase TEXT,
    location TEXT,
    format TEXT,
    unit TEXT,
    -- As it was sent, byte for byte: SignedData is evidence.
    value TEXT NOT NULL,
    -- What its age is told by: a charge point's clock may be wrong by years.
    received_at BIGINT NOT NULL
);
CREATE INDEX meter_values_by_transaction ON meter_values (transaction_id, measured_at);
CREATE INDEX meter_values_by_charge_point ON meter_values (charge_point, measured_at);
CREATE INDEX meter_values_by_receipt ON meter_values (received_at);

CREATE TABLE reservations (
    id BIGINT NOT NULL PRIMARY KEY,
    charge_point TEXT NOT NULL,
    connector BIGINT NOT NULL,
    id_tag TEXT NOT NULL,
    parent_id_tag TEXT,
    expiry_at BIGINT NOT NULL,
    -- Pending (sent, no answer known), Accepted, Refused (with the charge point's word in `answer`), Used, Cancelled, Expired.
    status TEXT NOT NULL,
    answer TEXT,
    transaction_id BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX reservations_by_charge_point ON reservations (charge_point, status);

CREATE TABLE charging_profiles (
    name TEXT NOT NULL PRIMARY KEY,
    -- A ChargingProfile of OCPP, as JSON.
    profile TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What a charge point's local list holds as far as it is known here.
CREATE TABLE local_list_entries (
    charge_point TEXT NOT NULL,
    folded TEXT NOT NULL,
    id_tag TEXT NOT NULL,
    -- IdTagInfo as JSON; NULL: none was sent.
    id_tag_info TEXT,
    PRIMARY KEY (charge_point, folded)
);

CREATE TABLE message_log (
    id BIGINT NOT NULL PRIMARY KEY,
    charge_point TEXT NOT NULL,
    logged_at BIGINT NOT NULL,
    -- received or sent, as seen from the server.
    direction TEXT NOT NULL,
    -- call, result, error, or unreadable.
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    action TEXT,
    error_code TEXT,
    elapsed_ms BIGINT,
    -- Without secrets.
    text TEXT NOT NULL
);
CREATE INDEX message_log_by_charge_point ON message_log (charge_point, id);
CREATE INDEX message_log_by_time ON message_log (logged_at);

CREATE TABLE security_events (
    id BIGINT NOT NULL PRIMARY KEY,
    charge_point TEXT NOT NULL,
    happened_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    tech_info TEXT,
    received_at BIGINT NOT NULL
);

CREATE TABLE certificates (
    serial TEXT NOT NULL PRIMARY KEY,
    charge_point TEXT NOT NULL,
    pem TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE files (
    id TEXT NOT NULL PRIMARY KEY,
    -- firmware, diagnostics or log.
    kind TEXT NOT NULL,
    -- Empty until a charge point has said how it calls its file.
    name TEXT NOT NULL,
    charge_point TEXT,
    size BIGINT,
    sha256 TEXT,
    -- 0 while an upload is expected or under way.
    complete BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    completed_at BIGINT
);
CREATE INDEX files_by_charge_point ON files (charge_point, kind, created_at);

-- What one charge point may do with one file, and for how long.
CREATE TABLE file_requests (
    -- The user name for FTP.
    id TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the token in the URL (of the password for FTP), hexadecimal: it has 256 random bits of its own.
    token_hash TEXT NOT NULL UNIQUE,
    file TEXT NOT NULL,
    charge_point TEXT NOT NULL,
    -- download or upload.
    purpose TEXT NOT NULL,
    -- http or ftp.
    transport TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX file_requests_by_file ON file_requests (file, expires_at);

CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    -- PHC string of a slow KDF.
    password_hash TEXT NOT NULL,
    -- viewer, operator or admin.
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- SHA-256 of the token, hexadecimal: it has 256 random bits of its own.
    token_hash TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);

CREATE TABLE web_sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_name TEXT NOT NULL,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE audit_log (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    -- user:NAME, token:NAME, or open (no log-in asked).
    actor TEXT NOT NULL,
    -- An action of OCPP, or what was done to a resource.
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    -- JSON, without secrets.
    detail TEXT NOT NULL,
    outcome TEXT NOT NULL
);

-- Settings that an operator changes while the server runs, by name.
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
