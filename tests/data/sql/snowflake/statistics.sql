SELECT count(*) AS "count_1", count(CASE WHEN ("stretch"."c0" != 'NaN'::DOUBLE) THEN "stretch"."c0" END) AS "count_2", count(CASE WHEN ("stretch"."c0" BETWEEN '-1.7976931348623157e+308'::DOUBLE AND '1.7976931348623157e+308'::DOUBLE) THEN "stretch"."c0" END) AS "count_3", min(CASE WHEN ("stretch"."c0" BETWEEN '-1.7976931348623157e+308'::DOUBLE AND '1.7976931348623157e+308'::DOUBLE) THEN "stretch"."c0" END) AS "min_1", max(CASE WHEN ("stretch"."c0" BETWEEN '-1.7976931348623157e+308'::DOUBLE AND '1.7976931348623157e+308'::DOUBLE) THEN "stretch"."c0" END) AS "max_1", count("stretch"."c1") AS "count_4" 
FROM (SELECT 1 AS "one", CAST("logs"."predictions"."distance" AS DOUBLE) AS "c0", CAST("logs"."predictions"."carrier" AS TEXT) AS "c1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ) AS "stretch";

SELECT "stretch"."c1", count(*) AS "count_1" 
FROM (SELECT 1 AS "one", CAST("logs"."predictions"."distance" AS DOUBLE) AS "c0", CAST("logs"."predictions"."carrier" AS TEXT) AS "c1" 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= '2013-04-01 10:00:00+00:00'::TIMESTAMP_TZ AND "logs"."predictions"."ts" < '2013-04-01 13:00:00+00:00'::TIMESTAMP_TZ) AS "stretch" 
WHERE "stretch"."c1" IS NOT NULL GROUP BY "stretch"."c1" ORDER BY count(*) DESC, collate("stretch"."c1", '')
 LIMIT 201;

