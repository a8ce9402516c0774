create or replace function feature.sums_text(p_sums integer[]) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(string_agg(
        case when cardinality(p_sums) <= 11 then substr(l.letters, f.s / 64 + 1, 1) else '' end
        || substr(l.letters, f.s % 64 + 1, 1), '' order by f.place
    ) filter (where cardinality(p_sums) <= 22), '')
    from unnest(p_sums) with ordinality as f (s, place)
    cross join (
        select 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_' as letters
    ) as l
$$;
revoke all on function feature.sums_text(integer[]) from public;
comment on function feature.sums_text(integer[]) is
'The sums of an answer''s fields (feature.answer_digest()) as a receipt has them: two letters a '
'field, one where there are more than 11, so that the line does not get too long, none where there '
'are more than 22.';
