-- Looked at every few seconds.
CREATE INDEX certificates_revoked ON certificates (serial) WHERE revoked = 1;
