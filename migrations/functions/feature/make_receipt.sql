-- depends: functions/feature/answer_digest functions/feature/contract_digest
--   functions/feature/definition_digest functions/feature/held_to functions/feature/name_of
--   functions/feature/number_text
--   functions/feature/question_digest functions/feature/reference_digest
--   functions/feature/url_text
create or replace function feature.make_receipt(
    p_schema text,
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[],
    p_tenant_id integer,
    p_set text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_clock feature.clock;
    v_fields integer;
    v_known text := 'a';
    v_generation integer;
    v_log constant text := feature.name_of(p_set, 'log');
    v_answer record;
    v_receipt text;
begin
    select count(*) into v_fields from market.contract as c where c.feature_set = p_set;
    if v_fields = 0 then
        raise exception 'no set %', coalesce(p_set, 'NULL')
            using errcode = 'undefined_object',
            hint = 'market.feature_set has them, as ' || (
                select string_agg(s.feature_set, ', ' order by s.feature_set)
                from market.feature_set as s
            ) || '.';
    end if;
    perform feature.check_pairs(p_symbols, p_as_of, p_known_as_of);
    select c.* into strict v_clock from feature.clock as c;
    select max(g.generation)
    into strict v_generation
    from feature.generation as g
    where g.feature_set = p_set;
    if p_known_as_of is not null then
        v_known := case
            when (select min(k) = max(k) from unnest(p_known_as_of) as k)
                then 'k' || feature.url_text(timestamptz_send(p_known_as_of[array_lower(p_known_as_of, 1)]))
            else 'e'
        end;
    end if;
    v_answer := feature.answer_digest(
        p_schema, p_set, v_generation, v_fields, p_symbols, p_as_of,
        feature.held_to(p_as_of, p_known_as_of, v_clock.published_at), p_tenant_id
    );
    -- a log is found by its name of now, rows are seen as of when the statement began
    if to_regclass(format('feature.%I', v_log)) <> (
        select c.oid
        from pg_class as c
        where c.relnamespace = 'feature'::regnamespace and c.relname = v_log
    ) then
        raise exception 'another generation of % came into use meanwhile', p_set
            using errcode = 'serialization_failure', hint = 'Ask again, in a new transaction.';
    end if;
    v_receipt := concat_ws(
        '.', 'pit1', p_set || ':' || v_generation, left(replace(v_clock.database_id::text, '-', ''), 6), v_fields,
        feature.definition_digest(p_set),
        feature.contract_digest(p_set, v_fields, v_clock.published_at),
        feature.reference_digest(p_symbols, v_clock.published_at),
        feature.url_text(timestamptz_send(v_clock.published_at)), v_known,
        feature.question_digest(
            p_symbols, p_as_of, case when v_known = 'e' then p_known_as_of end
        ),
        feature.url_text(v_answer.digest), feature.number_text(v_answer.row_sum),
        feature.number_text(v_answer.place_sum), feature.sums_text(v_answer.field_sums)
    );
    return v_receipt || '.' || feature.receipt_check(v_receipt);
end
$$;
revoke all on function feature.make_receipt(
    text, text[], timestamptz[], timestamptz[], integer, text
) from public;
comment on function feature.make_receipt(
    text, text[], timestamptz[], timestamptz[], integer, text
) is
'feature.receipt() of what p_schema, public or api, answers. Its parts, between dots: pit1; set '
'and, after a colon, generation of its log; database; number of fields; definition of the set; '
'contract; reference data; stamp of the last publish; a where each pair was asked as known at its '
'as_of, k with the moment where all were at one, e where each had its own; question; digest of the '
'answer; sums of its rows and of its fields, by which feature.verify() finds what differs; a check '
'of the line itself. Digests and numbers are base64url or hexadecimal.';
