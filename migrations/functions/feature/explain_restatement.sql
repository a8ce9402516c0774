-- depends: functions/feature/define functions/feature/events_behind functions/feature/read_from
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name explain_restatement}(
    p_symbol text, p_bucket timestamptz, p_tenant_id integer default null
) returns table (
    version bigint,
    known_at timestamptz,
    cause text,
    definition integer,
    changes jsonb,
    events jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    -- none: a session begins when it does
    c_span constant interval := (
        select feature.span_of(s.grain) from market.feature_set as s where s.feature_set = '{set}'
    );
    v_tenant_id integer;
    v_from timestamptz;
begin
    if p_symbol is null or p_bucket is null then
        raise exception 'p_symbol and p_bucket must not be NULL'
            using errcode = 'null_value_not_allowed', hint = 'Name one bar.';
    elsif p_bucket <> date_bin(c_span, p_bucket, c_origin) then
        raise exception '% is not the start of a bar', p_bucket
            using errcode = 'invalid_parameter_value',
            hint = case c_span
                when interval '1 minute' then 'Give a whole minute.'
                else format('A bar of {set} begins every %s.', c_span)
            end;
    end if;
    perform feature.check_names(array[p_symbol], p_tenant_id);
    v_tenant_id := (
        select s.tenant_id
        from feature.series as s
        where s.symbol = p_symbol and s.tenant_id = coalesce(p_tenant_id, s.tenant_id)
    );

    -- The bars that this one's windows read, as far back as they can lie.
    perform feature.require_formulas();
    v_from := feature.read_from('{set}', v_tenant_id, p_symbol, p_bucket);

    return query
    with published as (
        select
            l.*,
            row_number() over by_time as version,
            lag(to_jsonb(l)) over by_time as last
        from feature.{name log} as l
        where l.tenant_id = v_tenant_id and l.symbol = p_symbol and l.bucket = p_bucket
        window by_time as (order by l.known_at)
    ),

    event as (
        select e.*
        from feature.events_behind(
            v_tenant_id,
            p_symbol,
            v_from,
            p_bucket,
            (
                select max({ends l})
                from feature.{name log} as l
                where l.tenant_id = v_tenant_id and l.symbol = p_symbol and l.bucket = p_bucket
            ),
            -- own fields that windows read may be of quotes
            case
                when '{set}' <> 'market_1m' and exists (
                    select from feature.published_field() as f
                    where f.feature_set = '{set}' and f.is_input
                ) then v_from
            end
        ) as e
    )

    select
        p.version,
        p.known_at,
        p.cause,
        p.definition,
        case
            when p.version > 1 then (
                select jsonb_object_agg(
                    c.field,
                    jsonb_build_object('was', p.last -> c.field, 'is', to_jsonb(p) -> c.field)
                    order by c.ordinal
                )
                from market.contract as c
                where
                    c.feature_set = '{set}'
                    and p.last -> c.field is distinct from to_jsonb(p) -> c.field
            )
        end,
        case
            when p.version > 1 then (
                select jsonb_agg(
                    to_jsonb(e) order by e.known_at, e.bucket, e.ts, e.seq
                )
                from event as e
                where
                    greatest(e.known_at, e.bucket + interval '1 minute') = p.known_at
                    or exists (
                        select from feature.restatement as r
                        where
                            r.tenant_id = p.tenant_id
                            and r.symbol = p.symbol
                            and r.bucket = e.bucket
                            and r.known_at = p.known_at
                            and e.known_at between r.known_from and r.known_to
                    )
            )
        end
    from published as p
    order by p.version;
end
$$;
revoke all on function feature.{name explain_restatement}(text, timestamptz, integer) from public;
grant execute on function feature.{name explain_restatement}(text, timestamptz, integer)
to market_reader;
comment on function feature.{name explain_restatement}(text, timestamptz, integer) is
'The versions of a bar of {set} and why they came. p_symbol, p_bucket: the bar, by its start. '
'p_tenant_id: default the one tenant that has the symbol. Columns: version from 1; known_at; cause '
'(see feature.log); definition, which formulas made it (feature.definition); changes, by field what it was and is; events, an array of the ticks behind it: '
'kind (trade, quote or bar), action (new, correction, cancel), bucket, of the minute, ts, seq, was '
'and tick (its values before and after), known_at, and the Kafka topic, partition and offset of the '
'message. Both are NULL for the first version. Of a set that is made of one-minute bars, or reads '
'another set, they are the ticks of these bars; events of earlier bars appear where windows read '
'them. No version, no rows. Errors: 22004 for NULL, 22023 when p_bucket is no start of a bar, '
'42P08 when several tenants have the symbol, 42704 for an unknown symbol or tenant (see '
'public.feature_pit_snapshot()), 42P01 when "dbt run" has not made the models.';
$sql$);
