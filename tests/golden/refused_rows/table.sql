-- The table refuses some rows that decode well; each refusal is its row's own.
CREATE TABLE target(
    user_id          varchar(128),
    device_type      varchar(32) CHECK (device_type IN ('ios', 'android')),
    masked_ip        varchar(256),
    masked_device_id varchar(256),
    locale           varchar(32),
    app_version      integer CHECK (app_version < 9000000)
);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.user_id = 'refused' THEN
        RAISE EXCEPTION 'refused';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER refuse BEFORE INSERT ON target FOR EACH ROW EXECUTE PROCEDURE refuse();
