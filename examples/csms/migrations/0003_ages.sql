-- What is deleted by its age is found by its age.
CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE INDEX security_events_by_receipt ON security_events (received_at);
