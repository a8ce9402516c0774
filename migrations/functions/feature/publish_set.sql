create or replace function feature.publish_set(
    p_set text, p_known_at timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_read text;
    v_versions bigint;
begin
    if c_set.made_of = 'tick' then
        perform feature.find_changed(p_set, p_known_at);
    else
        perform feature.find_closed(p_set, p_known_at);
    end if;
    perform feature.evaluate(
        feature.name_of(p_set, 'own_value'), 'own',
        case
            when c_set.made_of = 'tick' then array['series_trade', 'series_quote', 'series_bar']
            else array['series_minute']
        end,
        'select c.series_no, c.tenant_id, c.symbol from changed as c'
    );
    perform feature.put_aside(p_set, p_known_at);

    if feature.published_list(p_set, 'window', '%s') <> '' then
        perform feature.evaluate_windows(p_set);
        perform feature.put_aside(p_set, p_known_at);
    end if;

    perform feature.make_next_versions(p_set);
    v_versions := feature.append_versions(p_set, p_known_at);
    delete from feature.set_aside as s
    using changed as c
    where s.tenant_id = c.tenant_id and s.symbol = c.symbol and s.feature_set = p_set;

    -- what the sets that read this one ask
    execute format('alter table pg_temp.next_version rename to %I', 'next_version_' || p_set);
    foreach v_read in array array['changed', 'own', 'moved', 'island', 'window_bar',
        'window_output', 'window_value', 'series_minute', 'newest', 'newest_value']
        || array(select 'window_bar_' || s from unnest(feature.sets_read(p_set)) as s)
    loop
        execute format('drop table if exists pg_temp.%I', v_read);
    end loop;
    return v_versions;
end
$$;
revoke all on function feature.publish_set(text, timestamptz) from public;
comment on function feature.publish_set(text, timestamptz) is
'Publishes one set, with the stamp p_known_at: of the temporary tables due and series_trade, '
'series_quote and series_bar, or of next_version_<set> of the set that it is made of. Returns how '
'many versions were appended; leaves next_version_<set>. Step of feature.publish().';
