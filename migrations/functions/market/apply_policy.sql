-- depends: functions/market/staggered_start functions/market/timescale_schema
create or replace procedure market.apply_policy(p_setting market.policy_setting)
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_ts constant text := market.timescale_schema();
    v_relation constant text := 'market.' || quote_ident(p_setting.relation);
    v_procedure constant text := case p_setting.policy
        when 'refresh' then 'policy_refresh_continuous_aggregate'
        when 'columnstore' then 'policy_compression'
        when 'retention' then 'policy_retention'
    end;
    v_start constant timestamptz := market.staggered_start(
        p_setting.relation || ' ' || p_setting.policy,
        coalesce(p_setting.every, interval '1 hour')
    );
    v_job record;
    v_config jsonb;
begin
    if p_setting.policy = 'chunk' then
        execute format(
            'select %s.set_chunk_time_interval(%L, %L::interval)',
            v_ts, v_relation, p_setting.span
        );
        return;
    end if;

    for v_try in 1..2 loop
        select j.job_id, j.schedule_interval, j.fixed_schedule, j.config
        into v_job
        from timescaledb_information.jobs as j
        where j.hypertable_schema = 'market' and j.hypertable_name = p_setting.relation
            and j.proc_name = v_procedure;
        exit when found;
        case p_setting.policy
            when 'refresh' then
                -- One batch: batches start with the newest, and the first one moves the watermark
                -- past the rows that the others still have to bring, which then show nowhere.
                execute format(
                    'select %s.add_continuous_aggregate_policy(%L, %L::interval, %L::interval, '
                    '%L::interval, buckets_per_batch => 0, initial_start => %L)',
                    v_ts, v_relation,
                    p_setting.span, p_setting.end_offset, p_setting.every, v_start
                );
            when 'columnstore' then
                execute format(
                    'call %s.add_columnstore_policy('
                    '%L, after => %L::interval, initial_start => %L)',
                    v_ts, v_relation, p_setting.span, v_start
                );
            when 'retention' then
                execute format(
                    'select %s.add_retention_policy(%L, %L::interval, initial_start => %L)',
                    v_ts, v_relation, p_setting.span, v_start
                );
        end case;
    end loop;

    v_config := v_job.config || case p_setting.policy
        when 'refresh' then jsonb_build_object(
            'start_offset', p_setting.span::text, 'end_offset', p_setting.end_offset::text,
            -- what the schedule was made from: where it is another now, that is an operator's
            'every', p_setting.every::text
        )
        when 'columnstore' then jsonb_build_object('compress_after', p_setting.span::text)
        when 'retention' then jsonb_build_object('drop_after', p_setting.span::text)
    end;
    if v_config = v_job.config and v_job.fixed_schedule then
        return;
    end if;
    execute format(
        'select %s.alter_job(%s, config => %L::jsonb, schedule_interval => %L::interval)',
        v_ts, v_job.job_id, v_config,
        case
            when v_job.config ->> 'every' <> v_config ->> 'every' then p_setting.every
            else v_job.schedule_interval
        end
    );
    -- of an earlier release, in which all of them started at the same instant, or what "create table"
    -- adds: a columnstore policy that runs once a day, not twice as those that are added by hand
    if not v_job.fixed_schedule then
        execute format(
            'select %s.alter_job(%s, initial_start => %L::timestamptz, fixed_schedule => true)',
            v_ts, v_job.job_id, v_start
        );
        if v_procedure = 'policy_compression' and v_job.schedule_interval = interval '1 day' then
            execute format(
                'select %s.alter_job(%s, schedule_interval => interval ''12 hours'')',
                v_ts, v_job.job_id
            );
        end if;
    end if;
end
$$;
revoke all on procedure market.apply_policy(market.policy_setting) from public;
comment on procedure market.apply_policy(market.policy_setting) is -- noqa: LT01
'Makes one of TimescaleDB''s policies what its row of market.policy_setting says. A job that is '
'there stays, and with it what an operator has set by alter_job(): its schedule is changed only '
'when the row''s "every" has changed since.';
