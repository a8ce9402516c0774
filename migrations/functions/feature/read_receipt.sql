-- depends: functions/feature/bytes_of_url functions/feature/question_digest
--   functions/feature/receipt_check
create or replace function feature.read_receipt(
    p_receipt text,
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[],
    p_elsewhere boolean,
    out parts text[],
    out feature_set text,
    out generation integer,
    out stamp timestamptz,
    out known_as_of timestamptz[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- moments are counted in microseconds from here
    c_epoch constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_clock feature.clock;
begin
    p_receipt := btrim(p_receipt);
    parts := string_to_array(p_receipt, '.');
    if coalesce(parts[1] <> 'pit1' or cardinality(parts) <> 15, true) then
        raise exception 'this is no receipt: %', coalesce(quote_literal(left(p_receipt, 40)), 'NULL')
            using errcode = 'invalid_parameter_value',
            hint = 'One begins with pit1 and has 14 dots: feature.receipt() writes them.';
    elsif parts[15] <> feature.receipt_check(array_to_string(parts[:14], '.')) then
        raise exception 'the receipt is damaged: %', left(p_receipt, 200)
            using errcode = 'invalid_parameter_value',
            hint = 'A character has changed or is missing: copy it again, whole.';
    end if;
    select c.* into strict v_clock from feature.clock as c;
    feature_set := split_part(parts[2], ':', 1);
    select max(g.generation)
    into generation
    from feature.generation as g
    where g.feature_set = split_part(parts[2], ':', 1);
    stamp := c_epoch + feature.text_number(parts[8]) * interval '1 microsecond';
    if parts[3] <> left(replace(v_clock.database_id::text, '-', ''), 6) and not p_elsewhere then
        raise exception 'the receipt is of another database: %', parts[3]
            using errcode = 'invalid_parameter_value',
            hint = 'To see whether this one gives the same answer, say p_elsewhere => true.';
    elsif stamp > v_clock.published_at then
        raise exception 'the receipt is of the publish of %, which this database has not had', stamp
            using errcode = 'invalid_parameter_value',
            hint = 'Its last one is of ' || v_clock.published_at || ': it was restored from an '
                'earlier moment, or publishes do not run.';
    elsif not exists (
        select from market.contract as c where c.feature_set = split_part(parts[2], ':', 1)
    ) then
        raise exception 'the receipt is of the set %, which is not here', feature_set
            using errcode = 'undefined_object', hint = 'Give seeds/ its lines again.';
    elsif left(parts[9], 1) = 'e' and p_known_as_of is null then
        raise exception 'each pair was asked with a known_as_of of its own'
            using errcode = 'invalid_parameter_value', hint = 'Give p_known_as_of as it was.';
    elsif left(parts[9], 1) <> 'e' and p_known_as_of is not null then
        raise exception 'the receipt says as of when it was known'
            using errcode = 'invalid_parameter_value', hint = 'Leave p_known_as_of out.';
    end if;
    -- another database has generations of its own: there the one in use counts
    if parts[3] = left(replace(v_clock.database_id::text, '-', ''), 6) then
        -- a receipt from before there were several says none
        generation := coalesce(nullif(split_part(parts[2], ':', 2), '')::integer, 1);
    end if;
    perform feature.check_pairs(p_symbols, p_as_of, p_known_as_of);
    if parts[10] <> feature.question_digest(p_symbols, p_as_of, p_known_as_of) then
        raise exception 'this is not the question of the receipt'
            using errcode = 'invalid_parameter_value',
            hint = 'Give the same symbols and moments in the same order.';
    end if;
    known_as_of := feature.held_to(
        p_as_of,
        case left(parts[9], 1)
            when 'e' then p_known_as_of
            when 'k' then feature.for_each(
                p_symbols,
                c_epoch + feature.text_number(substr(parts[9], 2)) * interval '1 microsecond'
            )
        end,
        stamp
    );
end
$$;
revoke all on function feature.read_receipt(
    text, text[], timestamptz[], timestamptz[], boolean
) from public;
comment on function feature.read_receipt(
    text, text[], timestamptz[], timestamptz[], boolean
) is
'The parts of a receipt as feature.make_receipt() says, its set and which generation of the log to '
'ask, the stamp of its publish, and the known_as_of of each pair. Arguments and errors: as of '
'feature.verify(). Step of feature.verify_answer().';
