-- loses: nothing; the logins that were made stay
drop procedure access.remove_tenant;
drop procedure access.set_tenant;
drop procedure access.drop_login;
drop procedure access.set_login;
drop trigger audit_change on access.dataset;
drop trigger audit_change on access.login;
drop trigger audit_change on api.tenant;
drop trigger audit_change on api.entitlement;
drop trigger audit_truncate on access.dataset;
drop trigger audit_truncate on access.login;
drop trigger audit_truncate on api.tenant;
drop trigger audit_truncate on api.entitlement;
revoke all on all tables in schema audit from market_operator;
revoke all on function audit.verify(bigint, bytea) from market_operator;
revoke usage on schema audit from market_operator;
