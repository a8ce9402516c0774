-- depends: functions/feature/published_list functions/feature/read_list functions/feature/sets_read
create or replace function feature.window_sources(p_set text)
returns table (feature_set text, is_own boolean, model text, fields text, step text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        s.feature_set,
        true,
        s.bar_model,
        feature.published_list(p_set, 'input', ', %I'),
        'window_bar'
    from market.feature_set as s
    where s.feature_set = p_set
    union all
    select
        s.feature_set,
        false,
        s.model,
        feature.read_list(p_set, s.feature_set, ', %1$I'),
        'window_bar_' || s.feature_set
    from market.feature_set as s
    where s.feature_set = any(feature.sets_read(p_set))
$$;
revoke all on function feature.window_sources(text) from public;
comment on function feature.window_sources(text) is
'What windows of the set p_set read: of itself (is_own) and of each other set of that grain the '
'dbt model that has it, the fields, as '', x'', and the temporary table that a publish, backfill '
'or trial puts in its place (step). For feature.compile().';
