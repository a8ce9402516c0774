-- depends: 0015_create_audit 0040_create_feature_set 0025_tie_reference 0033_add_bars_from
-- purpose: reference data with knowledge time: what was known of calendars, instruments, contract
--   and sets when; calendars say where they come from and when they end
-- lock: access exclusive on the reference tables, for a moment; no row is written
-- Rows that are there already get their versions from functions/market/keep_versions.sql.
set local role market_owner;

alter table market.calendar
add column source text,
add column ends_on date,
add column known_at timestamptz,
-- rows of an older release are judged when seeds/ are loaded
add constraint calendar_ends_on_check check (ends_on is not null) not valid,
add constraint calendar_source_check check (source is not null) not valid;
comment on column market.calendar.source is 'Where it comes from, with the version of that.';
comment on column market.calendar.ends_on is
'Last local day whose sessions it knows; what comes later nobody has said.';

alter table market.calendar_session
drop constraint calendar_session_pkey,
add column valid_from date,
add column known_at timestamptz,
add constraint calendar_session_key
unique nulls not distinct (calendar_id, valid_from, iso_weekday, opens);
comment on column market.calendar_session.valid_from is
'Local day from which the week that has the same valid_from holds, all of it, until the next one; '
'empty: from the beginning.';

alter table market.calendar_holiday
drop constraint calendar_holiday_pkey,
add column known_at timestamptz,
add constraint calendar_holiday_key unique nulls not distinct (calendar_id, day, opens);
comment on table market.calendar_holiday is
'One row per local day on which the regular sessions that open that day do not take place, or one '
'per session that is held instead.';
comment on column market.calendar_holiday.opens is
'Local opening of a session held instead; NULL: closed all day.';

alter table market.instrument add column known_at timestamptz;
alter table market.contract add column known_at timestamptz;
alter table market.feature_set add column known_at timestamptz;

do $$
declare
    v_table text;
    -- what a row is known by, whatever else it says
    c_keys constant jsonb := '{
        "calendar": ["calendar_id"],
        "calendar_session": ["calendar_id", "valid_from", "iso_weekday", "opens"],
        "calendar_holiday": ["calendar_id", "day", "opens"],
        "instrument": ["symbol"],
        "contract": ["feature_set", "field"],
        "feature_set": ["feature_set"]
    }';
begin
    for v_table in select k.* from jsonb_object_keys(c_keys) as k loop
        execute format(
            'comment on column market.%I.known_at is ''When it was announced; NULL: known from its '
            'first load, or from when it was changed (market.%s).''',
            v_table, v_table || '_version'
        );
        execute format(
            'create table market.%I (like market.%I including comments)', v_table || '_version',
            v_table
        );
        execute format(
            'alter table market.%1$I alter column known_at set not null, '
            'add column is_gone boolean not null, '
            'add constraint %2$I unique nulls not distinct (%3$s, known_at)',
            v_table || '_version', v_table || '_version_key',
            (
                select string_agg(quote_ident(e.name), ', ' order by e.place)
                from jsonb_array_elements_text(c_keys -> v_table) with ordinality as e (name, place)
            )
        );
        execute format(
            'comment on table market.%I is ''What market.%s said, and since when it was known: one '
            'row per change of a row of it. Append-only.''',
            v_table || '_version', v_table
        );
        execute format(
            'comment on column market.%I.known_at is ''Knowledge time: from when it could be '
            'known. -infinity: it was there from the beginning.''', v_table || '_version'
        );
        execute format(
            'comment on column market.%I.is_gone is ''Whether the row was taken out then.''',
            v_table || '_version'
        );
    end loop;
end
$$;
create index contract_version_max_staleness
on market.contract_version (feature_set, max_staleness_s);

create table market.session_month (
    calendar_id text not null,
    starts_on date not null check (extract(day from starts_on) = 1),
    known_at timestamptz not null,
    opens timestamptz[] not null,
    closes timestamptz[] not null,
    primary key (calendar_id, starts_on, known_at),
    check (cardinality(opens) = cardinality(closes))
);
comment on table market.session_month is
'The sessions of a calendar that open in a month of its local time, as moments: one row per change '
'of what was known of the month. Made of calendar_version, calendar_session_version and '
'calendar_holiday_version when these change, so that no later rule of a time zone moves what was '
'known. Read it through market.believed_session(). Append-only.';
comment on column market.session_month.calendar_id is 'Calendar, market.calendar.';
comment on column market.session_month.starts_on is 'First local day of the month.';
comment on column market.session_month.known_at is
'Knowledge time: from when this could be known. -infinity: from the beginning.';
comment on column market.session_month.opens is 'When its sessions open, inclusive, in order.';
comment on column market.session_month.closes is 'When each of them closes, exclusive.';

create table market.zone_rules (
    time_zone text primary key,
    digest text not null
);
comment on table market.zone_rules is
'The rules of each time zone by which market.session_month was last made, as a digest: where this '
'server''s are others, the next load makes it anew, known from then.';
comment on column market.zone_rules.time_zone is 'IANA name.';
comment on column market.zone_rules.digest is 'SHA-256, in hex, of its offsets day by day.';

create table market.changed_reference (
    only_row boolean primary key default true check (only_row),
    changes bigint not null,
    touched text[] not null
);
comment on table market.changed_reference is
'One row, in which a statement that touches reference data says so, so that the net change of its '
'transaction becomes versions at commit (market.keep_versions()).';
comment on column market.changed_reference.only_row is 'Always true.';
comment on column market.changed_reference.changes is 'Statements so far.';
comment on column market.changed_reference.touched is
'Tables that they touched since versions were last made.';

alter table audit.event
drop constraint event_kind_check,
add constraint event_kind_check
check (kind in ('entitlement', 'role', 'contract', 'reference', 'ddl', 'backfill'));
comment on column audit.event.kind is
'entitlement, role, contract, reference, ddl or backfill.';

-- made again by their files, with other arguments
drop function if exists feature.bars_of(text, text[], timestamptz[]);
drop function if exists feature.pit_sessions(timestamptz[], timestamptz[], interval);
