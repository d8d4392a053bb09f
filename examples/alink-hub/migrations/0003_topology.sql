-- A sub-device, and the gateway that it is behind.
CREATE TABLE topology (
    device_id BIGINT NOT NULL PRIMARY KEY,
    gateway_id BIGINT NOT NULL,
    since BIGINT NOT NULL
);
CREATE INDEX topology_of_gateway ON topology (gateway_id);
