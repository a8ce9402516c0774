-- loses: tenants with logins, their entitlements, watchlists and predictions
drop table api.prediction;
drop table api.watchlist;
drop table api.entitlement cascade;
drop table access.login;
drop table access.dataset cascade;
drop table api.tenant cascade;
drop schema api cascade;
drop schema access cascade;
