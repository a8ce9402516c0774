-- depends: functions/feature/define_formula functions/feature/window_inputs
--   functions/feature/refuse_formula
create or replace function feature.define_fields(p_own text[], p_windows text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_inputs constant text[] := feature.window_inputs(p_own);
    v_always text;
begin
    select c.field
    into v_always
    from market.contract as c
    where c.field = any(p_own) and coalesce(c.null_when, '') = ''
    order by c.field = any(c_inputs) desc, c.ordinal
    limit 1;
    if v_always is null then
        perform feature.refuse_formula(
            'no own field of market.contract is there in every bar: one must have an empty '
            'null_when, or a bar that has gone could not be told from one that is there'
        );
    end if;
    perform feature.define_formula(
        'feature.published_field() returns TABLE(place integer, field text, is_own boolean, '
        'is_input boolean, is_always boolean)',
        (
            select
                'values' || string_agg(
                    format(
                        e'\n(%s, %L, %L::boolean, %L::boolean, %L::boolean)', c.ordinal, c.field,
                        c.field = any(p_own), c.field = any(c_inputs), c.field = v_always
                    ),
                    ',' order by c.ordinal
                )
            from market.contract as c
            where c.field = any(p_own || p_windows)
        ),
        'The fields that publishes and backfills write, in the order of market.contract (place): '
        'whether a bar has it of its own ticks (is_own), whether windows read it of other bars '
        '(is_input), and the one that every bar has and none that has gone (is_always). Made of '
        'market.contract and the dbt models by feature.compile().'
    );
end
$$;
revoke all on function feature.define_fields(text[], text[]) from public;
comment on function feature.define_fields(text[], text[]) is
'Makes feature.published_field(): p_own, the fields that a bar has of its own ticks, and '
'p_windows, those that it has of other bars. For feature.compile(). Errors: 0A000 where no own '
'field is there in every bar.';
