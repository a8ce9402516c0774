{# dbt's own way is truncate: a reader whose snapshot is older would find the table empty. The load
   itself follows in the same transaction. One seed after the other, as some name rows of others. #}
{% macro postgres__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {% call statement('empty') %}
        lock table market.calendar, {{ old_relation }} in share row exclusive mode;
        delete from {{ old_relation }}
    {% endcall %}
    {{ return('delete from ' ~ old_relation) }}
{% endmacro %}
