{# At the end of a run that can have changed a model: publish and backfill compute with functions
   that are made of the models. Where a run has left feature_1m out, those made before stay. #}
{% macro compile_formulas() %}
    {% if flags.WHICH in ('run', 'build') %}
        do $$
        begin
            if to_regclass('feature.feature_1m') is not null
                and to_regclass('intermediate.int_bar__own') is not null then
                call feature.compile();
            end if;
        end
        $$
    {% endif %}
{% endmacro %}
