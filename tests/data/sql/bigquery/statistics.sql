SELECT count(*) AS `count_1`, count(CASE WHEN (NOT is_nan(`stretch`.`c0`)) THEN `stretch`.`c0` END) AS `count_2`, count(CASE WHEN (`stretch`.`c0` BETWEEN -1.7976931348623157e+308 AND 1.7976931348623157e+308) THEN `stretch`.`c0` END) AS `count_3`, min(CASE WHEN (`stretch`.`c0` BETWEEN -1.7976931348623157e+308 AND 1.7976931348623157e+308) THEN `stretch`.`c0` END) AS `min_1`, max(CASE WHEN (`stretch`.`c0` BETWEEN -1.7976931348623157e+308 AND 1.7976931348623157e+308) THEN `stretch`.`c0` END) AS `max_1`, count(`stretch`.`c1`) AS `count_4` 
FROM (SELECT 1 AS `one`, CAST(`predictions`.`distance` AS FLOAT64) AS `c0`, CAST(`predictions`.`carrier` AS STRING) AS `c1` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00') AS `stretch`;

SELECT `stretch`.`c1`, count(*) AS `count_1` 
FROM (SELECT 1 AS `one`, CAST(`predictions`.`distance` AS FLOAT64) AS `c0`, CAST(`predictions`.`carrier` AS STRING) AS `c1` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00') AS `stretch` 
WHERE `stretch`.`c1` IS NOT NULL GROUP BY `stretch`.`c1` ORDER BY count(*) DESC, collate(`stretch`.`c1`, '')
 LIMIT 201;

