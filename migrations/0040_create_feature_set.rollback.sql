-- loses: all sets of features but market_1m, with their fields of the contract; their logs stay
set local role market_owner;
-- what reads them: no release before makes or drops it
do $$
begin
    if to_regprocedure('feature.drop_readers(text)') is not null then
        perform feature.drop_readers(s.feature_set)
        from market.feature_set as s
        where s.feature_set <> 'market_1m';
    end if;
end
$$;
delete from market.contract
where feature_set <> 'market_1m';
delete from feature.set_aside
where feature_set <> 'market_1m';
delete from feature.backfill_run
where feature_set <> 'market_1m';
alter table feature.set_aside
drop constraint set_aside_pkey,
add primary key (tenant_id, symbol);
drop view if exists api.set_aside;
alter table feature.set_aside drop column feature_set;
alter table feature.backfill_run drop column feature_set;
alter table market.contract
drop constraint contract_pkey,
drop constraint contract_feature_set_field_key,
drop column feature_set,
add primary key (ordinal),
add unique (field);
comment on column market.contract.inputs is
'Fields it is made from, separated by spaces; each is due no later.';
drop table feature.waiting_range cascade;
drop table feature.waiting_bar cascade;
drop table feature.birth cascade;
drop table market.feature_set cascade;
