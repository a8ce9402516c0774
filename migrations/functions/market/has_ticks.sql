create or replace function market.has_ticks(
    p_relation text,
    p_tenant_id integer,
    p_symbol text,
    p_from timestamptz default '-infinity',
    p_to timestamptz default 'infinity'
) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_has boolean;
begin
    execute format(
        'select exists (select from market.%I as t where t.tenant_id = $1 and t.symbol = $2 '
        'and t.ts >= $3 and t.ts < $4)',
        p_relation
    ) into v_has using p_tenant_id, p_symbol, p_from, p_to;
    return v_has;
end
$$;
revoke all on function market.has_ticks(
    text, integer, text, timestamptz, timestamptz
) from public;
comment on function market.has_ticks(text, integer, text, timestamptz, timestamptz) is
'Whether a series has ticks in [p_from, p_to). p_relation: where, without its schema: trade, quote '
'or bar, those of now; trade_belief and its like, those that were corrected or cancelled as well.';
