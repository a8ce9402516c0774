-- depends: 0022_create_pit_tools 0025_add_topic_id
-- purpose: what people and programs may do, a role each; their logins are granted one of them
-- lock: share row exclusive on the tables, for an instant
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'market_deploy', 'market_ingest', 'market_reader', 'market_operator', 'market_tenant',
        'market_pool'
    ] loop
        begin
            if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
                execute format(
                    'create role %I nologin %s',
                    v_role,
                    -- it makes the tenants' logins
                    case v_role when 'market_deploy' then 'createrole' end
                );
            end if;
        exception
            -- another database of this cluster was migrated at the same moment
            when duplicate_object or unique_violation then null;
        end;
    end loop;
    -- roles are the cluster's: of a second database, whoever migrates need not be their admin
    if not pg_catalog.pg_has_role('market_deploy', 'market_owner', 'member') then
        grant market_owner to market_deploy;
    end if;
    if not pg_catalog.pg_has_role('market_deploy', 'market_tenant', 'member with admin option') then
        grant market_tenant to market_deploy with admin option;
    end if;
    if not pg_catalog.pg_has_role('market_operator', 'market_reader', 'member') then
        grant market_reader to market_operator;
    end if;
end
$$;

-- feature_pit_snapshot() and feature_pit_hash() are there
grant usage on schema public to market_reader;
set local role market_owner;

grant usage on schema market to market_ingest, market_reader;
grant select on market.tenant, market.instrument to market_ingest;
grant select, insert, delete on market.trade, market.quote to market_ingest;
grant select, insert on market.trade_superseded, market.quote_superseded to market_ingest;
grant select, insert, update on market.kafka_offset, market.dead_letter to market_ingest;
grant execute on function market.apply_ticks(text, text) to market_ingest;
grant execute on function market.apply_trades() to market_ingest;
grant execute on function market.apply_quotes() to market_ingest;

grant usage on schema feature, staging, intermediate to market_reader;
grant select on all tables in schema market, feature to market_reader;
alter default privileges in schema market, feature grant select on tables to market_reader;
grant execute on function market.trading_session(text, timestamptz, timestamptz) to market_reader;
grant execute on function public.feature_pit_snapshot(
    text[], timestamptz[], timestamptz[], integer
) to market_reader;
grant execute on function public.feature_pit_snapshot(
    text[], timestamptz, timestamptz, integer
) to market_reader;
grant execute on function public.feature_pit_snapshot(text[], text, text, integer)
to market_reader;
grant execute on function public.feature_pit_hash(
    text[], timestamptz[], timestamptz[], integer
) to market_reader;
grant execute on function public.feature_pit_hash(
    text[], timestamptz, timestamptz, integer
) to market_reader;
grant execute on function public.feature_pit_hash(text[], text, text, integer) to market_reader;
grant execute on function feature.volatility_1h(text, timestamptz, integer) to market_reader;
grant execute on function feature.leakage(text[], timestamptz[], integer) to market_reader;
grant execute on function feature.explain_restatement(text, timestamptz, integer)
to market_reader;

grant execute on procedure feature.publish(timestamptz, bigint) to market_operator;
grant execute on procedure feature.backfill(timestamptz, timestamptz) to market_operator;
grant execute on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) to market_operator;
grant execute on function feature.formula(jsonb) to market_operator;
grant insert, update on feature.backfill_run to market_operator;
