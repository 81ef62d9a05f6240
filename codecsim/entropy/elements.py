"""The syntax elements of slice data: a number for kernels, and the name, which is that of H.265 in capital letters."""

# sao() and what ends a CTU
(
    SAO_MERGE_LEFT_FLAG,
    SAO_MERGE_UP_FLAG,
    SAO_TYPE_IDX_LUMA,
    SAO_TYPE_IDX_CHROMA,
    SAO_OFFSET_ABS,
    SAO_OFFSET_SIGN,
    SAO_BAND_POSITION,
    SAO_EO_CLASS_LUMA,
    SAO_EO_CLASS_CHROMA,
    END_OF_SLICE_SEGMENT_FLAG,
) = range(10)

# coding_quadtree(), coding_unit(), prediction_unit(), mvd_coding()
(
    SPLIT_CU_FLAG,
    CU_SKIP_FLAG,
    PRED_MODE_FLAG,
    PART_MODE,
    PREV_INTRA_LUMA_PRED_FLAG,
    MPM_IDX,
    REM_INTRA_LUMA_PRED_MODE,
    INTRA_CHROMA_PRED_MODE,
    RQT_ROOT_CBF,
    MERGE_FLAG,
    MERGE_IDX,
    INTER_PRED_IDC,
    REF_IDX_L0,
    REF_IDX_L1,
    MVP_L0_FLAG,
    MVP_L1_FLAG,
    ABS_MVD_GREATER0_FLAG,
    ABS_MVD_GREATER1_FLAG,
    ABS_MVD_MINUS2,
    MVD_SIGN_FLAG,
) = range(10, 30)

# transform_tree(), transform_unit(), delta_qp(), residual_coding()
(
    SPLIT_TRANSFORM_FLAG,
    CBF_LUMA,
    CBF_CB,
    CBF_CR,
    CU_QP_DELTA_ABS,
    CU_QP_DELTA_SIGN_FLAG,
    TRANSFORM_SKIP_FLAG,
    LAST_SIG_COEFF_X_PREFIX,
    LAST_SIG_COEFF_Y_PREFIX,
    LAST_SIG_COEFF_X_SUFFIX,
    LAST_SIG_COEFF_Y_SUFFIX,
    CODED_SUB_BLOCK_FLAG,
    SIG_COEFF_FLAG,
    COEFF_ABS_LEVEL_GREATER1_FLAG,
    COEFF_ABS_LEVEL_GREATER2_FLAG,
    COEFF_SIGN_FLAG,
    COEFF_ABS_LEVEL_REMAINING,
) = range(30, 47)

# not in H.265: the learned tools and overlapped motion compensation
(
    OBMC_WHERE,
    OBMC_CHOICE,
    PREDICTION_FILTER_WHERE,
    PREDICTION_FILTER_CHOICE,
    INTRA_FILTER_FLAG,
    LOOP_FILTER_WHERE,
    LOOP_FILTER_SIZE,
    LOOP_FILTER_FLAG,
) = range(47, 55)

NAMES = {number: name.lower() for name, number in list(globals().items()) if name.isupper()}
