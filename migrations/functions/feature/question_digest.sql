create or replace function feature.question_digest(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[]
) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select feature.url_text(substr(sha256(coalesce(
        string_agg(
            int4send(octet_length(q.symbol))
            || convert_to(q.symbol, 'UTF8')
            || timestamptz_send(q.as_of)
            || coalesce(timestamptz_send(q.known_as_of), ''::bytea),
            ''::bytea order by q.place
        ), ''::bytea
    )), 1, 8))
    from unnest(p_symbols, p_as_of, p_known_as_of)
        with ordinality as q (symbol, as_of, known_as_of, place)
$$;
revoke all on function feature.question_digest(text[], timestamptz[], timestamptz[]) from public;
comment on function feature.question_digest(text[], timestamptz[], timestamptz[]) is
'Eleven characters of what was asked, in order, for a receipt. p_known_as_of: NULL where each pair '
'has none of its own.';
