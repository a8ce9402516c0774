create or replace function feature.published_of(
    p_set text,
    out feature_set text,
    out place integer,
    out made_of text,
    out span interval,
    out log text,
    out always text,
    out bars integer,
    out minutes integer
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    select
        s.feature_set,
        s.place,
        s.made_of,
        s.span,
        'feature.' || feature.name_of(p_set, 'log') || case
            when p_set = any(string_to_array(current_setting('feature.rebuild', true), ','))
                then '_next'
            else ''
        end,
        feature.published_list(p_set, 'always', '%I'),
        s.reach_bars,
        s.reach_minutes
    into strict feature_set, place, made_of, span, log, always, bars, minutes
    from feature.published_set() as s
    where s.feature_set = p_set;
end
$$;
revoke all on function feature.published_of(text) from public;
comment on function feature.published_of(text) is
'A set as publishes and backfills take it: its place among the sets of feature.published_set(); '
'made_of, tick or the set that its bars are made of; span, how long a bar is, NULL: a session; '
'log, the table of its versions, in a step of feature.rebuild() the one that it makes; '
'always, the column that every bar has and none that has gone; bars and minutes, how '
'far back windows look: earlier bars that are there, and bars that start less than so many '
'minutes before.';
