-- loses: tenants with logins, their entitlements, watchlists, predictions, API keys and access log
do $$
begin
    drop event trigger if exists access_ddl;
end
$$;
drop table api.access_log;
drop table api.api_key cascade;
drop table api.prediction;
drop table api.watchlist;
drop table api.entitlement cascade;
drop table access.login;
drop table access.dataset cascade;
drop table api.tenant cascade;
drop schema api cascade;
drop schema access cascade;
