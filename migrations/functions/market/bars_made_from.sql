create or replace function market.bars_made_from(p_kind text) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_kind <> 'trade'
            then array(select i.symbol from market.instrument as i where i.bars_from = p_kind)
    end
$$;
revoke all on function market.bars_made_from(text) from public;
comment on function market.bars_made_from(text) is
'The symbols whose bars are made of p_kind: quote or bar. NULL for trade: any symbol''s may be, '
'also of one that market.instrument does not have.';
